"""A benchmark's script loads while its server does: it asks nothing before that is there, and ends if it never is.

Where the script has ended, nobody waits for its server.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

import psutil
import pytest

from runner.script import ROOT
from runner.script.command import Script
from runner.script.following import EarlyScript, NothingToWatch, run_script
from settings.benchmarks import BENCHMARKS
from tests.command_line import PROGRAMS, bench_runner
from tests.evaluation.running_servers import canonical_server

if TYPE_CHECKING:
    from pathlib import Path

WITHIN_S = 60.0


class Files(NamedTuple):
    script_out: Path
    script_log: Path


@pytest.fixture
def script(tmp_path):
    def make(url: str) -> Script:
        words = ["--base-url", url, "--model", "canonical", "--output", str(tmp_path), "--limit", "3"]
        command = (sys.executable, "-m", BENCHMARKS["human_eval"].module, *words)
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        return Script(command=command, shown=command, environment=environment, cwd=ROOT, timeout_s=None)

    return make


def wait_until_loaded(pid: int) -> None:
    """It has its HTTP client, which it loads last."""
    deadline = time.monotonic() + WITHIN_S
    while not any("aiohttp" in each.path for each in psutil.Process(pid).memory_maps()):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_it_asks_nothing_before_its_server_is_there(tmp_path, script):
    files, bodies, events = Files(tmp_path / "out", tmp_path / "log"), tmp_path / "bodies", []
    with canonical_server("--bodies", bodies) as url, EarlyScript(script(url), files) as early:
        wait_until_loaded(early.process.pid)
        assert files.script_out.read_bytes() == b""
        assert not bodies.exists()
        ended = run_script(script(url), files, NothingToWatch(), on_event=events.append, early=early)
    assert ended.exit.code == 0, files.script_log.read_text()
    assert len(bodies.read_text().splitlines()) >= 3
    assert events[0] == {"event": "phase", "phase": "connect"}
    assert events[-1]["done"] == 3


def test_it_ends_without_a_word_where_there_is_no_server(tmp_path, script):
    files = Files(tmp_path / "out", tmp_path / "log")
    with EarlyScript(script("http://127.0.0.1:9"), files) as early:
        wait_until_loaded(early.process.pid)
        children = psutil.Process(early.process.pid).children(recursive=True)
    assert early.process.poll() is not None
    assert not any(child.is_running() for child in children)
    assert files.script_out.read_bytes() == files.script_log.read_bytes() == b""


def test_a_script_that_ends_while_its_server_loads_is_why_the_run_failed(tmp_path):
    """In its own words, and at once: this server would never be ready."""
    (tmp_path / "aiohttp.py").write_text("raise ImportError('broken here')\n")
    done = bench_runner(
        "run", "--benchmark", "human_eval", "--limit", "1", "--results-dir", tmp_path / "r",
        "--server-command", "sleep 600 {port}", env={"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.code == 4, done.err
    assert "ImportError: broken here" in done.err
    (path,) = tmp_path.glob("r/*/run.json")
    record = json.loads(path.read_text())
    assert record["error"]["kind"] == "script"
    assert record["script_command"][1:3] == ["-m", "scripts.run_human_eval"]


ONCE = """
if [ -e {mark} ]; then exec sleep 600; fi
touch {mark}
exec {python} -I -S {program} --port "$1" --model-name "$2" --crash-after 1
"""
LOSES_IT = """
import os, sys, urllib.request
try:
    urllib.request.urlopen(os.environ["BENCH_BASE_URL"] + "/v1/completions", b"{}").read()
except OSError as error:
    while not os.path.exists(sys.argv[1]):
        pass
    sys.exit(f"lost its server: {error}")
"""


def test_a_script_that_ends_while_its_server_restarts_is_why_the_run_failed(tmp_path):
    """It answers the question whether it is ready, dies of the next one, and never comes back."""
    server, script, restarting = (tmp_path / name for name in ("server.sh", "script.py", "restarting"))
    words = {"mark": tmp_path / "mark", "python": sys.executable, "program": PROGRAMS / "fake_server.py"}
    server.write_text(ONCE.format(**words).replace("exec sleep", f"touch {restarting}; exec sleep"))
    script.write_text(LOSES_IT)
    done = bench_runner(
        "run", "--script", script, "--script-args", restarting, "--parser", "json", "--results-dir", tmp_path / "r",
        "--server-command", f"sh {server} {{port}} {{name}}",
    )  # fmt: skip
    assert done.code == 4, done.err
    assert "restarting it (1 of 3)" in done.err
    assert "lost its server" in done.err


def test_a_server_that_does_not_start_is_why_the_run_failed(tmp_path):
    done = bench_runner(
        "run", "--benchmark", "human_eval", "--limit", "1", "--results-dir", tmp_path,
        "--server-command", "sh -c 'sleep 2; echo no model; exit 3' {port}",
    )  # fmt: skip
    assert done.code == 3
    assert "exit code 3" in done.err
    (record,) = tmp_path.glob("*/run.json")
    assert json.loads(record.read_text())["error"]["kind"] == "server_exited"
