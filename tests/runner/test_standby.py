"""A benchmark's program loads before it is known what it is to do: then it does that, or nothing is left of it."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

import psutil
import pytest

from runner.script.command import ROOT, Script
from runner.script.following import EarlyScript, NothingToWatch, run_script
from runner.script.standby import MODULE, Standby
from settings.benchmarks import BENCHMARKS
from tests.command_line import bench_runner
from tests.evaluation.running_servers import canonical_server

if TYPE_CHECKING:
    from pathlib import Path

    from processes.process import ManagedProcess

HUMAN_EVAL = BENCHMARKS["human_eval"].module
WITHIN_S = 60.0


class Files(NamedTuple):
    script_out: Path
    script_log: Path


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "run"
    made.mkdir()
    return made


@pytest.fixture
def run(folder):
    """Run two samples with what stands by; gives how the script ended and its process."""

    def work(standby: Standby, *, module: str = HUMAN_EVAL) -> tuple[int | None, ManagedProcess, Files]:
        files = Files(folder / "out", folder / "log")
        with canonical_server() as url:
            words = ["--base-url", url, "--model", "canonical", "--output", str(folder), "--limit", "2"]
            command = (sys.executable, "-m", module, *words)
            environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
            script = Script(command=command, shown=command, environment=environment, cwd=ROOT, timeout_s=None)
            with EarlyScript(script, files, standby) as early:
                ended = run_script(script, files, NothingToWatch(), on_event=lambda _: None, early=early)
        return ended.exit.code, early.process, files

    return work


def standing_by() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [each for each in children if each.is_running() and MODULE in " ".join(each.cmdline())]


def wait_for_it() -> psutil.Process:
    deadline = time.monotonic() + WITHIN_S
    while not (found := standing_by()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found[0]


def test_it_does_what_it_is_told(folder, run):
    with Standby(HUMAN_EVAL, folder) as standby:
        loading = wait_for_it()
        code, process, files = run(standby)
        assert process.pid == loading.pid
    assert code == 0, files.script_log.read_text()
    assert "summary" in files.script_out.read_text()
    assert not standing_by()


def test_nothing_is_left_where_nobody_needs_it(folder):
    with Standby(HUMAN_EVAL, folder):
        wait_for_it()
    assert not standing_by()
    assert list(folder.iterdir()) == []


def test_a_script_is_started_anew_where_it_has_ended(folder, run):
    with Standby(HUMAN_EVAL, folder) as standby:
        loading = wait_for_it()
        loading.kill()
        psutil.wait_procs([loading], WITHIN_S)
        code, process, files = run(standby)
    assert code == 0, files.script_log.read_text()
    assert process.pid != loading.pid


def test_another_program_is_started_anew(folder, run):
    with Standby(BENCHMARKS["mmlu"].module, folder) as standby:
        code, process, files = run(standby)
        assert [each.pid for each in standing_by()] != [process.pid]
    assert code == 0, files.script_log.read_text()
    assert not standing_by()


def test_there_is_none_without_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        Standby(HUMAN_EVAL, tmp_path / "missing")
    assert not standing_by()


def test_a_setting_that_is_wrong_leaves_nothing(tmp_path):
    done = bench_runner(
        "run", "--benchmark", "human_eval", "--base-url", "http://127.0.0.1:9", "--limit", "1",
        "--server", "llama.cpp", "--results-dir", tmp_path,
    )  # fmt: skip
    assert done.code == 2
    assert "--base-url goes with --server attach" in done.err
    assert list(tmp_path.iterdir()) == []
