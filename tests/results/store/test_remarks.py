"""Labels, notes and archiving are kept with the run, whatever else is written meanwhile, and change no result."""

from __future__ import annotations

import datetime as dt
import json

import msgspec
import pytest

from results.compare.comparison import compare_runs
from results.compare.run_choice import Choice, choose_runs
from results.errors import UsageError
from results.records import Remarks, RunStatus
from results.store.names import NameFacts, match_name
from results.store.remarks import RunRemarks, checked_label
from results.store.run_folder import RunFolder
from results.store.runs import Runs
from tests.results.conftest import a_record
from tests.results.recorded_runs import F, P, record_run

NOW = dt.datetime(2026, 11, 21, 4, 46, tzinfo=dt.UTC)


@pytest.fixture
def remarks(tmp_path):
    return RunRemarks(tmp_path, lambda _: None)


def logged(folder):
    runs = json.loads((folder / "benchmark_results.json").read_text())["runs"]
    return {run["run_id"]: run["remarks"] for run in runs}


def test_what_is_said_is_in_the_record_and_in_the_log(tmp_path, remarks):
    run = record_run(tmp_path)
    remarks.label(run, "baseline")
    remarks.note(run, "cool card")
    remarks.note(run, "second look")
    remarks.archive([run], archived=True)
    said = Remarks(label="baseline", note="cool card\nsecond look", archived=True)
    assert run.read_record().remarks == said
    assert logged(tmp_path) == {run.run_id: msgspec.to_builtins(said)}
    remarks.note(run, "")
    remarks.label(run, "")
    remarks.archive([run], archived=False)
    assert run.read_record().remarks == Remarks()


def test_what_was_said_when_it_was_killed_gets_into_the_log_with_the_next_run(tmp_path, remarks):
    """The record in the folder is written first; the note of what is to be logged is there before."""
    run = record_run(tmp_path)
    remarks.note(run, "before")
    (tmp_path / ".unlogged" / run.run_id).touch()
    record = run.read_record()
    run.write_record(msgspec.structs.replace(record, remarks=Remarks(label="new")))
    Runs(tmp_path, pytest.fail).check()
    assert logged(tmp_path)[run.run_id]["label"] == "new"
    assert [*(tmp_path / ".unlogged").iterdir()] == []


def test_it_changes_no_comparison(tmp_path, remarks):
    first, second = record_run(tmp_path, [P, F]), record_run(tmp_path, [F, P])
    before = compare_runs(first, second)
    remarks.label(first, "a")
    remarks.note(second, "b")
    assert compare_runs(first, second) == before


def test_a_run_in_progress_keeps_what_is_said_meanwhile(tmp_path, remarks):
    """The harness knows nothing of it and writes its own record several times; the log gets it with the last."""
    entry = Runs(tmp_path, lambda _: None).new("human_eval", "m", NOW)
    record = a_record(entry.folder.run_id, status=RunStatus.STARTED)
    with entry.claim():
        entry.begin(record)
        remarks.label(entry.folder, "baseline")
        assert logged(tmp_path) == {}
        entry.write(record)
        remarks.note(entry.folder, "still at it")
        entry.finish(a_record(record.run_id))
    assert logged(tmp_path)[record.run_id] == {"label": "baseline", "note": "still at it", "archived": False}
    again = Runs(tmp_path, lambda _: None).find("baseline")
    again.begin(record)
    again.finish(a_record(record.run_id))
    assert entry.folder.read_record().remarks.label == "baseline"


def test_a_label_belongs_to_one_run(tmp_path, remarks):
    first, second = record_run(tmp_path), record_run(tmp_path)
    remarks.label(first, "baseline")
    with pytest.raises(UsageError, match="has the label 'BASELINE' already"):
        remarks.label(second, "BASELINE")
    remarks.label(first, "Baseline")  # its own
    remarks.label(second, "baseline", move=True)
    assert (first.read_record().remarks.label, second.read_record().remarks.label) == ("", "baseline")


@pytest.mark.parametrize(
    "text", ["", "   ", "last", "last~2", "20261121T03", "--yes", "x" * 65, "a\x1b[31mb"]
)
def test_a_label_can_be_typed_and_names_nothing_else(text):
    with pytest.raises(UsageError, match="can't be a label"):
        checked_label(text)


def test_a_run_is_known_by_its_label(tmp_path, remarks):
    runs = [record_run(tmp_path, model=f"m-{number}") for number in range(3)]
    remarks.label(runs[0], checked_label("flash   attention"))
    remarks.label(runs[1], "m-2")
    assert RunFolder.find(tmp_path, "Flash attention") == runs[0]
    assert RunFolder.find(tmp_path, "flash") == runs[0]
    assert RunFolder.find(tmp_path, "m-2") == runs[1]  # before a model of that name


def test_archived_runs_are_passed_over_but_found(tmp_path, remarks):
    old, kept, gone = (record_run(tmp_path, model=name) for name in ("Old-Q4", "Kept-Q4", "Gone-Q8"))
    remarks.archive([old], archived=True)
    remarks.archive([gone], archived=True)
    assert RunFolder.find(tmp_path, "last") == kept
    assert RunFolder.find(tmp_path, "Q4") == kept
    assert RunFolder.find(tmp_path, "Q8") == gone
    assert RunFolder.find(tmp_path, gone.run_id) == gone
    with pytest.raises(UsageError, match="only one run"):
        RunFolder.find(tmp_path, "last~1")
    chosen = choose_runs(tmp_path, Choice(), warn=pytest.fail)
    assert ([run for run, _ in chosen.runs], chosen.left_out) == ([kept], {"archived": 2})
    assert len(choose_runs(tmp_path, Choice(archived=True), warn=pytest.fail).runs) == 3


def test_two_runs_of_one_label_are_listed():
    with pytest.raises(UsageError, match="matches 2 runs"):
        match_name("a", ["1", "2", "3"], lambda each: NameFacts(label="" if each == "3" else "A"))
