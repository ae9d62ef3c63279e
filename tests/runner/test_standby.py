"""A program loads before it is known which benchmark's it is to be: then it is that, or nothing is left of it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

import psutil
import pytest

from runner.script import ROOT
from runner.script.command import Script
from runner.script.following import EarlyScript, NothingToWatch, run_script
from runner.script.standby import PROGRAM, Standby, standby_for
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

    def work(standby: Standby) -> tuple[int | None, ManagedProcess, Files]:
        files = Files(folder / "out", folder / "log")
        with canonical_server() as url:
            words = ["--base-url", url, "--model", "canonical", "--output", str(folder), "--limit", "2"]
            command = (sys.executable, "-m", HUMAN_EVAL, *words)
            environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
            script = Script(command=command, shown=command, environment=environment, cwd=ROOT, timeout_s=None)
            with EarlyScript(script, files, standby) as early:
                ended = run_script(script, files, NothingToWatch(), on_event=lambda _: None, early=early)
        return ended.exit.code, early.process, files

    return work


def standing_by() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [each for each in children if each.is_running() and each.cmdline() == [*PROGRAM]]


def wait_for_it() -> psutil.Process:
    deadline = time.monotonic() + WITHIN_S
    while not (found := standing_by()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found[0]


def test_it_does_what_it_is_told(folder, run):
    with Standby(folder) as standby:
        loading = wait_for_it()
        code, process, files = run(standby)
        assert process.pid == loading.pid
    assert code == 0, files.script_log.read_text()
    assert "summary" in files.script_out.read_text()
    assert not standing_by()


def test_nothing_is_left_where_nobody_needs_it(folder):
    with Standby(folder):
        wait_for_it()
    assert not standing_by()
    assert list(folder.iterdir()) == []


def test_a_script_is_started_anew_where_it_has_ended(folder, run):
    with Standby(folder) as standby:
        loading = wait_for_it()
        loading.kill()
        psutil.wait_procs([loading], WITHIN_S)
        code, process, files = run(standby)
    assert code == 0, files.script_log.read_text()
    assert process.pid != loading.pid


def test_a_script_is_started_anew_where_nothing_stands_by_any_more(folder, run):
    with Standby(folder) as standby:
        standby.dismiss()
        assert not standing_by()
        code, _, files = run(standby)
    assert code == 0, files.script_log.read_text()


def test_a_script_is_started_anew_where_its_files_can_not_be_those_of_the_run(folder, run):
    """Such as on another file system; here, one of them is there already."""
    (folder / "out").write_bytes(b"")
    with Standby(folder) as standby:
        wait_for_it()
        code, _, files = run(standby)
        assert not standing_by()
    assert code == 0, files.script_log.read_text()
    assert "completions" in files.script_log.read_text()


def test_shards_run_without(tmp_path):
    with canonical_server() as url:
        words = ("run", "--benchmark", "human_eval", "--base-url", url, "--limit", "4", "--shards", "2")
        done = bench_runner(*words, "--results-dir", tmp_path)
    assert done.code == 0, done.err


def test_there_is_none_without_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        Standby(tmp_path / "missing")
    assert not standing_by()


def test_a_setting_that_is_wrong_leaves_nothing(tmp_path):
    done = bench_runner(
        "run", "--benchmark", "human_eval", "--base-url", "http://127.0.0.1:9", "--limit", "1",
        "--server", "llama.cpp", "--results-dir", tmp_path,
    )  # fmt: skip
    assert done.code == 2
    assert "--base-url goes with --server attach" in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "stands_by"),
    [
        ("--benchmark mmlu --base-url http://127.0.0.1:1", True),
        ("--base-url=http://127.0.0.1:1 --benchmark mmlu", True),
        ("--benchmark mmlu --model some.gguf", False),
        ("--benchmark mmlu --model some.gguf -- --base-url http://127.0.0.1:1", False),
        ("--base-url http://127.0.0.1:1 --script own.py", False),
        ("--base-url http://127.0.0.1:1 --resume last", False),
        ("--base-url http://127.0.0.1:1 --reuse", False),
        ("--base-url https://openrouter.ai/api --provider openrouter", False),
    ],
)
def test_it_is_for_runs_on_a_server_that_is_up(tmp_path, words, stands_by):
    found = standby_for([*words.split(), "--results-dir", str(tmp_path / "to be made")])
    with found or contextlib.nullcontext():
        assert (found is not None) == stands_by
    assert list(tmp_path.iterdir()) == []


def test_a_benchmark_that_can_not_wait_runs_without(tmp_path):
    """That server counts no tokens, as only the script can say."""
    with canonical_server() as url:
        done = bench_runner(
            "run", "--benchmark", "speed", "--base-url", url, "--results-dir", tmp_path, "--prompt-tokens", "16",
            "--output-tokens", "4", "--requests", "1", "--concurrencies", "1",
        )  # fmt: skip
    assert done.code == 4
    assert "did not count the tokens of its answer" in done.err


USELESS = {"difflib", "encodings.idna", "requests", "rich"}
LAUNCHES = {"servers.gguf", "servers.llama_cpp", "servers.models", "servers.vllm"}
SHOWS_MANY_RUNS = {"results.compare.leaderboard", "results.stats.certification", "results.store.sweep_folder"}
PACKS_ARCHIVES = {"lzma", "shutil"}


def test_harness_and_script_load_nothing_that_this_run_has_no_use_for(tmp_path):
    with canonical_server() as url:
        done = bench_runner(
            "run", "--benchmark", "human_eval", "--base-url", url, "--limit", "2", "--results-dir", tmp_path,
            env={"PYTHONPROFILEIMPORTTIME": "1"},
        )  # fmt: skip
    assert done.code == 0
    (log,) = tmp_path.glob("*/script.log")
    harness, script = imported(done.err), imported(log.read_text())
    assert "runner.run" in harness
    assert "aiohttp" in script
    assert not harness & {*USELESS, *LAUNCHES, *SHOWS_MANY_RUNS, *PACKS_ARCHIVES}
    assert not script & {*USELESS, "html.entities", "yaml"}


def imported(log: str) -> set[str]:
    return {line.rpartition("|")[2].strip() for line in log.splitlines() if line.startswith("import time:")}


def test_nothing_is_searched_for_cycles_while_it_loads():
    code = (
        "import gc, importlib, scripts; before = gc.get_stats()[0]; from scripts.sessions.standby import LOADED\n"
        f"for name in (*LOADED, {HUMAN_EVAL!r}): importlib.import_module(name)\n"
        "print(gc.get_stats()[0]['collections'] - before['collections'])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"
