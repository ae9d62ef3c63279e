"""The Tab key offers what can stand there: ids of runs and sweeps, and files of models."""

from __future__ import annotations

import datetime as dt

import click
import pytest
from click.shell_completion import ShellComplete

from bench_runner import cli
from results.store.run_folder import RunFolder
from results.store.sweep_folder import ManifestText, Sweep, SweepFolder
from tests.results.conftest import a_record


def completed(*words: str, typed: str = "") -> list[tuple[str, str, str | None]]:
    found = ShellComplete(cli, {"obj": None}, "bench_runner.py", "_X").get_completions([*words], typed)
    return [(item.type, item.value, item.help) for item in found]


@pytest.fixture
def ids(tmp_path, monkeypatch):
    """Two runs and a sweep."""
    monkeypatch.setenv("BENCH_RESULTS_DIR", str(tmp_path))
    found = []
    for day, model in ((20, "Big-Q8_0"), (21, "Big-Q4_0")):
        folder = RunFolder.create(tmp_path, "gsm8k", model, dt.datetime(2026, 11, day, tzinfo=dt.UTC))
        folder.write_record(a_record(folder.run_id, model=model))
        found.append(folder.run_id)
    sweep = SweepFolder.create(tmp_path, "nightly", dt.datetime(2026, 11, 22, tzinfo=dt.UTC))
    text = ManifestText(text="", form="yaml", name="nightly", folder="/")
    sweep.write(Sweep(sweep_id=sweep.sweep_id, created="", nonce="", manifest=text, runs=()))
    return [*found, sweep.sweep_id]


RUN = [["show"], ["rerun"], ["rejudge"], ["compare"], ["compare", "last"], ["run", "--resume"]]
SWEEP = [["cancel"], ["retry"], ["sweep", "--resume"], ["sweep", "--retry-failed"],
         ["leaderboard", "--sweep"]]  # fmt: skip


@pytest.mark.parametrize("words", RUN)
def test_runs_are_offered_newest_first_with_their_models(ids, words):
    q8, q4, _ = ids
    assert completed(*words) == [("plain", q4, "Big-Q4_0"), ("plain", q8, "Big-Q8_0")]
    assert completed(*words, typed="20261120") == [("plain", q8, "Big-Q8_0")]


@pytest.mark.parametrize("words", SWEEP)
def test_sweeps_are_offered(ids, words):
    assert completed(*words, typed="2026") == [("plain", ids[2], "nightly")]


@pytest.mark.parametrize("command", ["report", "status"])
def test_report_and_status_take_sweeps_and_runs(ids, command):
    assert [word for _, word, _ in completed(command, typed="2026")] == [ids[2], ids[1], ids[0]]


def test_a_name_that_is_there_is_not_offered_again(ids):
    assert completed("show", ids[0]) == []


def test_the_folder_that_was_given_is_searched(ids, tmp_path):
    assert completed("show", "--results-dir", str(tmp_path / "other"), typed="2026") == []
    (tmp_path / "file").touch()
    assert completed("show", "--results-dir", str(tmp_path / "file" / "no folder")) == []


@pytest.mark.parametrize(
    "words",
    [["run", "--model"], ["sweep"], ["sweep", "a.gguf"], ["run", "--server-binary"], ["tasks", "validate"]],
)
def test_files_are_offered_where_a_file_is_wanted(words):
    assert completed(*words, typed="mod") == [("file", "mod", None)]


def test_every_command_that_takes_a_run_completes_it():
    """A new command with such an argument gets its type too."""
    wanted = {"RUN", "RUN...", "SWEEP", "SWEEP...", "[SWEEP...]", "A", "B", "ID", "RUN_ID"}
    context = click.Context(cli)
    for name in cli.list_commands(context):
        for param in cli.get_command(context, name).params:
            if param.metavar in wanted:
                assert param.type.name in {"run", "sweep"}, (name, param.name)
