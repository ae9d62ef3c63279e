"""A record alone is enough to run again, and the two are compared."""

from __future__ import annotations

import json

import pytest

from tests.command_line import bench_runner, command_server, logged
from tests.servers.gguf_file import STRING, gguf

pytestmark = pytest.mark.slow


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf({"general.name": (STRING, "m")}))
    return path


def test_everything_asked_for_is_asked_for_again(tmp_path, model):
    server = command_server("canonical_server.py", "--wrong", 0.5)
    results = tmp_path / "r"
    first = bench_runner(
        "run", "--benchmark", "human_eval", "--model", model, *server, "--parallel", 3, "--limit", 6,
        "--max-tokens", 99,
        "--temperature", 0.5, "--seed", 7, "--shuffle", 3, "--prompt-style", "completion", "--results-dir", results,
    )  # fmt: skip
    assert first.code == 0, first.err
    done = bench_runner("rerun", "last", "--results-dir", results)
    assert done.code == 0, done.err
    before, after = logged(results)
    for own in ("port", "nonce"):
        before["config"].pop(own)
        after["config"].pop(own)
    assert before["config"] == after["config"]
    assert before["results"]["score"] == after["results"]["score"]
    assert "A and B solved the same samples" in done.out


def test_a_moved_model_is_named_and_a_changed_one_is_told(tmp_path, model):
    server = command_server("canonical_server.py")
    results = tmp_path / "r"
    assert bench_runner("run", "--benchmark", "human_eval", "--model", model, *server, "--limit", 2, "--results-dir",
                        results).code == 0  # fmt: skip
    model.unlink()
    gone = bench_runner("rerun", "last", "--results-dir", results)
    assert gone.code == 2
    assert "m.gguf" in gone.err
    other = tmp_path / "elsewhere" / "m.gguf"
    other.parent.mkdir()
    other.write_bytes(gguf({"general.name": (STRING, "other")}))
    done = bench_runner("rerun", "last", "--model", other, "--results-dir", results)
    assert done.code == 0, done.err
    assert "what differs     model's sha256" in done.out


def test_a_failed_run_can_be_run_again_too(tmp_path, model):
    flag = tmp_path / "works"
    program = tmp_path / "serve.sh"
    option, command = command_server("canonical_server.py")
    program.write_text(f'#!/bin/sh\ntest -e {flag} || exit 1\nexec "$@"\n')
    program.chmod(0o755)
    results = tmp_path / "r"
    failed = bench_runner("run", "--benchmark", "human_eval", "--model", model, option, f"{program} {command}",
                          "--limit", 1, "--results-dir", results)  # fmt: skip
    assert failed.code == 3
    flag.touch()
    done = bench_runner("rerun", "last", "--results-dir", results)
    assert done.code == 0, done.err
    assert "not compared" in done.out


def test_a_variable_of_a_manifest_is_read_again(tmp_path, model, monkeypatch):
    """A literal ${...} was handed to the server."""
    program = tmp_path / "serve.sh"
    program.write_text('#!/bin/sh\necho "called with $1"; shift; exec "$@"\n')
    program.chmod(0o755)
    _, command = command_server("canonical_server.py")
    text = {"runs": [{"benchmark": "human_eval", "model": "m.gguf", "limit": 1,
                      "server_command": f"{program} ${{SERVED}} {command}"}]}  # fmt: skip
    (tmp_path / "m.json").write_text(json.dumps(text))
    monkeypatch.setenv("SERVED", "one-name")
    results = tmp_path / "r"
    done = bench_runner("sweep", tmp_path / "m.json", "--results-dir", results)
    assert done.code == 0, done.err
    monkeypatch.setenv("SERVED", "another-name")
    done = bench_runner("rerun", "last", "--results-dir", results)
    assert done.code == 0, done.err
    assert [record["server"]["command"][1] for record in logged(results)] == ["${SERVED}"] * 2
    assert "called with another-name" in (results / logged(results)[1]["run_id"] / "server.log").read_text()
