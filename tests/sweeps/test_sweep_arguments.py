"""What stands after -- reaches every server of a sweep, as it does with `run`."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from commands.sweep import sweep
from results.errors import UsageError
from sweeps.manifest.options import manifest_from_options
from sweeps.plan import plan_runs
from tests.servers.gguf_file import gguf


@pytest.mark.parametrize(
    ("words", "models", "server_args"),
    [
        (["a.gguf", "--", "-t", "1"], ("a.gguf",), ("-t", "1")),
        (["a", "b", "--limit", "3", "--", "--flash-attn", "on"], ("a", "b"), ("--flash-attn", "on")),
        (["--server-arg", "-t", "--server-arg", "1", "a", "--", "-fa", "on"], ("a",), ("-t", "1", "-fa", "on")),
        (["a.gguf", "--", "--x", "--", "y"], ("a.gguf",), ("--x", "--", "y")),
        (["a.gguf", "--"], ("a.gguf",), ()),
    ],
)  # fmt: skip
def test_the_words_after_the_dashes_are_the_servers(words, models, server_args):
    found = sweep.make_context("sweep", words).params
    assert (found["models"], found["server_args"]) == (models, server_args)


def test_every_run_has_them(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.gguf").write_bytes(gguf())
    models = [str(tmp_path / f"{name}.gguf") for name in ("a", "b")]
    found = sweep.make_context("sweep", [*models, "--benchmark", "human_eval", "--", "-t", "1"]).params
    options = {name: found[name] for name in ("benchmark", "server_args")}
    runs = plan_runs(manifest_from_options(found["models"], options)).runs
    assert [run.spec.server.extra_args for run in runs] == [("-t", "1")] * 2


def test_a_manifest_has_its_own(tmp_path):
    manifest = tmp_path / "m.yaml"
    manifest.write_text("runs: []")
    done = CliRunner().invoke(sweep, [str(manifest), "--results-dir", str(tmp_path), "--", "-t", "1 2"])
    assert isinstance(done.exception, UsageError)
    assert done.exception.message == "what stands after -- can't be combined with a manifest"
    assert done.exception.hint == f"set `server_args: -t '1 2'` in {manifest}"
