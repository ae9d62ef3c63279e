"""A run that is being made is known from its first record on: it comes to be in the log, whoever puts it there."""

from __future__ import annotations

import datetime as dt

import pytest

from results.errors import ResultsError, ResumeMismatch, UsageError
from results.records import RunStatus
from results.store.run_log import RunLog
from results.store.runs import Runs
from tests.results.conftest import a_record

NOW = dt.datetime(2026, 11, 21, 4, 46, tzinfo=dt.UTC)


@pytest.fixture
def said():
    return []


@pytest.fixture
def runs(tmp_path, said):
    return Runs(tmp_path, said.append)


def logged(folder):
    return [(run.run_id, run.status) for run in RunLog(folder / "benchmark_results.json").runs()]


def notes(folder):
    return sorted(path.name for path in (folder / ".unlogged").iterdir())


def begun(runs, **changes):
    entry = runs.new("human_eval", "m", NOW)
    record = a_record(entry.folder.run_id, status=RunStatus.STARTED, **changes)
    entry.begin(record)
    return entry, record


def test_a_run_is_in_its_folder_from_the_start_and_in_the_log_at_its_end(runs, tmp_path):
    entry, record = begun(runs)
    assert entry.folder.read_record() == record
    assert notes(tmp_path) == [entry.folder.run_id]
    assert logged(tmp_path) == []
    entry.write(a_record(record.run_id, status=RunStatus.STARTED, resumed=1))
    assert entry.folder.read_record().resumed == 1
    entry.finish(a_record(record.run_id))
    assert logged(tmp_path) == [(record.run_id, RunStatus.SUCCEEDED)]
    assert entry.folder.read_record() == a_record(record.run_id)
    assert notes(tmp_path) == []


def test_a_run_whose_harness_is_gone_is_logged_by_the_next(runs, tmp_path, said):
    entry, _ = begun(runs)
    run_id = entry.folder.run_id
    with entry.claim():
        runs.check()
    assert logged(tmp_path) == []  # it was at work
    runs.check()
    assert logged(tmp_path) == [(run_id, RunStatus.INTERRUPTED)]
    assert f"--resume {run_id} " in entry.folder.read_record().error.hint
    assert notes(tmp_path) == []
    assert [run_id in line for line in said] == [True]
    runs.check()
    assert len(said) == 1


def test_a_run_that_goes_on_is_in_the_log_once(runs, tmp_path):
    entry, record = begun(runs)
    entry.finish(a_record(record.run_id, status=RunStatus.INTERRUPTED))
    again = runs.find("last")
    assert (again.folder, again.before.status) == (entry.folder, RunStatus.INTERRUPTED)
    again.begin(record)
    again.finish(a_record(record.run_id))
    assert logged(tmp_path) == [(record.run_id, RunStatus.SUCCEEDED)]


def test_a_run_that_may_not_go_on_is_as_it_was(runs, tmp_path):
    entry, record = begun(runs)
    entry.finish(a_record(record.run_id))
    entry.folder.run_json.write_bytes(
        entry.folder.run_json.read_bytes() + b" \n"
    )  # as somebody's editor leaves it
    kept = entry.folder.run_json.read_bytes()
    again = runs.find(record.run_id)
    with pytest.raises(ResumeMismatch), again.claim():
        again.begin(record)
        again.withdraw()
        raise ResumeMismatch("another model")
    assert again.folder.run_json.read_bytes() == kept
    assert notes(tmp_path) == []
    runs.check()
    assert logged(tmp_path) == [(record.run_id, RunStatus.SUCCEEDED)]


def test_a_folder_that_was_removed_by_hand_is_forgotten(runs, tmp_path, said):
    entry, _ = begun(runs)
    entry.folder.run_json.unlink()
    runs.check()
    assert (notes(tmp_path), logged(tmp_path), said) == ([], [], [])


def test_what_is_not_there_or_cannot_be_written_is_told(runs, tmp_path):
    with pytest.raises(UsageError, match="there is no run"):
        runs.find("20990101")
    (tmp_path / ".unlogged").write_text("in the way")
    with pytest.raises(ResultsError, match="cannot note the run in"):
        begun(runs)
