"""`run --script` without a benchmark of ours: the record bears the name that was given, or the script's."""

from __future__ import annotations

import pytest

from tests.command_line import bench_runner, command_server, logged
from tests.servers.gguf_file import STRING, gguf

WITHOUT_SERVER = ("--base-url", "http://127.0.0.1:9")


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "my eval.py"
    path.write_text('import os; print(\'{"score": 25, "path": "%s"}\' % os.environ.get("BENCH_MODEL_PATH"))')
    return path


@pytest.mark.parametrize(("words", "name"), [((), "my-eval"), (("--benchmark", "sums"), "sums")])
def test_a_foreign_scripts_record_has_its_own_name(tmp_path, script, words, name):
    """Were it called human_eval, it would stand among HumanEval's scores. It is told the model's file too."""
    model = tmp_path / "m.gguf"
    model.write_bytes(gguf({"general.name": (STRING, "m")}))
    server = command_server("canonical_server.py")
    done = bench_runner(
        "run", *words, "--script", script, "--parser", "json", "--model", model, *server, "--results-dir", tmp_path
    )  # fmt: skip
    assert done.code == 0, done.err
    (run,) = logged(tmp_path)
    assert (run["benchmark"], run["results"]["score"]) == (name, 25)
    assert run["score"]["details"]["path"] == str(model)


@pytest.mark.parametrize(
    ("words", "said"), [((), "no --benchmark given"), (("--benchmark", "a/b", "--script", __file__), "'a/b'")]
)
def test_a_name_is_missing_or_none(tmp_path, words, said):
    done = bench_runner("run", *words, *WITHOUT_SERVER, "--results-dir", tmp_path)
    assert done.code == 2
    assert said in done.err
