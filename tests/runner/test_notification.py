"""`--notify` tells how it ended, harmlessly, and whatever it does itself changes nothing."""

from __future__ import annotations

import signal
import sys
import time

import pytest

from results.errors import UsageError
from runner.notification import notifying, read_notify
from tests.command_line import bench_runner, command_server, logged, signalled
from tests.sweep_runs import models, own_devices, server, sweep

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_devices")]
__all__ = ["own_devices"]


def told(path) -> str:
    """A command that writes what it is told into a file."""
    return f"sh -c 'echo \"$0\" >> {path}' '{{id}} {{status}} {{score}}'"


def test_success_and_failure_of_a_run_are_told(tmp_path):
    results, said = tmp_path / "r", tmp_path / "said"
    words = (
        "run",
        "--benchmark",
        "human_eval",
        "--limit",
        2,
        "--results-dir",
        results,
        "--notify",
        told(said),
    )
    done = bench_runner(*words, *command_server("canonical_server.py"))
    assert done.code == 0, done.err
    (record,) = logged(results)
    assert said.read_text() == f"{record['run_id']} succeeded 100.0\n"
    done = bench_runner(*words, "--server-command", "false {model} {port}")
    assert done.code == 3, done.err
    assert said.read_text().splitlines()[1] == f"{logged(results)[1]['run_id']} failed none"


def test_an_interruption_is_told_too(tmp_path):
    results, said = tmp_path / "r", tmp_path / "said"
    words = ("run", "--benchmark", "human_eval", "--results-dir", results, "--notify", told(said))
    slow = command_server("canonical_server.py", "--delay", 0.3)
    done = signalled(signal.SIGTERM, *words, *slow, when=lambda _: [*results.glob("*/completions.jsonl")])
    assert done.code == 143, done.err
    assert said.read_text().split()[1:] == ["interrupted", "none"]


def test_the_end_of_a_sweep_is_told_and_a_failing_command_is_a_warning(tmp_path):
    results = tmp_path / "r"
    words = (*models(tmp_path / "m", "a"), *server(), "--limit", 2)
    done = sweep(results, *words, "--notify", told(tmp_path / "said"))
    assert done.code == 0, done.err
    sweep_id, status, score = (tmp_path / "said").read_text().split()
    assert (results / "sweeps" / sweep_id).is_dir()
    assert (status, float(score)) == ("succeeded", logged(results)[0]["results"]["score"])
    failing = sweep(results, *words, "--notify", "sh -c 'echo no network >&2; exit 4'")
    assert failing.code == 0, failing.err
    assert "warning: --notify: sh ended with code 4: no network" in failing.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "--notify is empty"),
        ("no-such-program {id}", "there is no program no-such-program"),
        ("echo {ID}", "unknown placeholder {ID}"),
        ("echo '{id}", "No closing quotation"),
    ],
)
def test_a_command_that_can_not_work_is_refused_before_anything_starts(tmp_path, text, message):
    done = bench_runner("run", "--benchmark", "human_eval", "--notify", text, "--results-dir", tmp_path / "r")
    assert done.code == 2
    assert message in done.err
    assert not (tmp_path / "r").exists()


def test_the_desktop_is_told_where_it_can_be(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="needs notify-send"):
        read_notify("desktop")
    program = tmp_path / "notify-send"
    program.write_text(f'#!/bin/sh\nprintf "%s|" "$@" > {tmp_path}/shown\n')
    program.chmod(0o755)
    with notifying(read_notify("desktop"), warn=pytest.fail) as ended:
        ended.run_id, ended.score = "2026-x", 75.61
    assert (tmp_path / "shown").read_text() == (
        "--app-name=bench_runner|bench_runner: succeeded|2026-x: score 75.6|"
    )


def test_values_are_harmless_in_a_shell_and_a_json_stays_as_it_is(tmp_path):
    words = read_notify(f"""sh -c 'echo {{id}} "{{status}}" > {tmp_path}/said; : {{"text":1}}'""")
    with notifying(words, warn=pytest.fail) as ended:
        ended.run_id = f"--x; touch {tmp_path}/bad; $(touch {tmp_path}/bad) `touch {tmp_path}/bad`\n'\""
    assert not (tmp_path / "bad").exists()
    assert (tmp_path / "said").read_text().endswith(" succeeded\n")


def test_a_command_that_hangs_is_stopped_with_all_it_started(tmp_path):
    said: list[str] = []
    began = time.monotonic()
    hanging = (sys.executable, "-c", "import subprocess; subprocess.run(['sleep', '60'])")
    with pytest.raises(ZeroDivisionError), notifying(hanging, warn=said.append, most_s=0.5):
        raise ZeroDivisionError
    assert time.monotonic() - began < 30
    assert said == [f"--notify: {sys.executable} took longer than 0.5 s and was stopped"]
