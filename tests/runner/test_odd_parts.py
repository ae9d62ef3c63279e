"""A server or a script that says odd things costs its own run at most, and is told in words."""

from __future__ import annotations

import pytest

from tests.command_line import bench_runner, logged, only_run
from tests.evaluation.running_servers import canonical_server, raw_server

pytestmark = pytest.mark.slow


def run(results, *words, code=0, env=None):
    done = bench_runner("run", "--benchmark", "human_eval", "--results-dir", results, *words, env=env)
    assert done.code == code, done.err
    assert "Traceback" not in done.err
    return done


EVENTS = ['{"event": "phase", "phase": []}', '{"event": "progress", "done": [], "total": 1e999, "in_flight": true}',
          '{"event": "start", "finished": 10e30}', '{"event": "error", "message": {"a": 1}}', '{"event": 3}',
          '{"event": ' + "[" * 50_000]  # fmt: skip


@pytest.mark.parametrize("code", [0, 6])
def test_events_of_the_wrong_shape_are_passed_over(tmp_path, code):
    script = tmp_path / "evaluate.py"
    script.write_text(
        f"for line in {EVENTS!r}:\n    print(line)\nprint('{{\"score\": 1}}')\nraise SystemExit({code})\n"
    )
    with canonical_server() as url:
        done = run(
            tmp_path / "r", "--base-url", url, "--script", script, "--parser", "json", code=4 if code else 0
        )
    assert ("the script failed: exit code 6" in done.err) is bool(code)


@pytest.mark.parametrize("given", [True, False])
def test_a_model_s_name_never_becomes_an_option(tmp_path, given):
    """Neither the one that the user gives nor the one that a server reports."""
    with canonical_server("--name=--help") as url:
        words = ("--base-url", url, *(("--model=--help",) if given else ()))
        run(tmp_path / "ours", *words, "--limit", 2)
        script = tmp_path / "evaluate.py"
        script.write_text("import json, sys\nprint(json.dumps({'score': 1, 'args': sys.argv[1:]}))\n")
        theirs = (*words, "--script", script, "--parser", "json", "--script-args")
        refused = run(tmp_path / "theirs", *theirs, "--model {model}", code=2)
        run(tmp_path / "one-word", *theirs, "--model={model}")
    (record,) = logged(tmp_path / "ours")
    assert (record["status"], record["results"]["score"], record["model"]) == ("succeeded", 100.0, "--help")
    assert "--model=--help" in record["script_command"]
    assert "{model} would become '--help', which a program reads as an option" in refused.err
    assert logged(tmp_path / "one-word")[0]["score"]["details"]["args"] == ["--model=--help"]


def test_a_model_that_looks_like_an_option_is_no_model(tmp_path):
    for words in (("--server", "vllm"), ("--server-command", "serve {model} --port {port}")):
        assert "there is no model '--x/y'" in run(tmp_path, "--model=--x/y", *words, code=2).err


def test_an_address_that_drips_is_given_up(tmp_path):
    dripping = {"/v1/models": {"json": {"data": [{"id": "m"}]}}, "*": {"text": "x" * 9999, "drip": 0.1}}
    with raw_server(tmp_path, dripping) as url:
        done = run(
            tmp_path / "r",
            "--base-url",
            url,
            "--health-path",
            "",
            "--parallel",
            1,
            "--ready-timeout",
            1,
            code=3,
        )
    assert "generated no token" in done.err or "not ready after 1 s" in done.err


def test_a_script_that_complains_without_end_fills_no_disk(tmp_path):
    script = tmp_path / "evaluate.py"
    script.write_text(
        "import sys\nfor _ in range(80):\n    sys.stderr.write('x' * (1 << 20) + '\\n')\nprint('{\"score\": 1}')\n"
    )
    with canonical_server() as url:
        run(tmp_path / "r", "--base-url", url, "--script", script, "--parser", "json")
    assert (only_run(tmp_path / "r") / "script.log").stat().st_size < 65 << 20
