"""A sweep's folder: whose runs are whose, which is the newest, and who works on it."""

from __future__ import annotations

import datetime as dt
import threading
import time

import msgspec
import pytest

from results.errors import ResultsError
from results.records import RunRecord, RunStatus
from results.store.run_folder import RunFolder
from results.store.sweep_folder import SweepFolder
from results.sweep_place import SweepPlace

NOW = dt.datetime(2026, 11, 21, 3, 46, tzinfo=dt.UTC)


@pytest.fixture
def folder(tmp_path):
    return SweepFolder.create(tmp_path, "nightly", NOW)


def written(
    folder, *, fingerprint="f1", status=RunStatus.SUCCEEDED, when=NOW, sweep_id=None, earlier_tries=0
):
    run = RunFolder.create(folder.results_dir, "human_eval", "m", when)
    place = SweepPlace(
        sweep_id=sweep_id or folder.sweep_id, fingerprint=fingerprint, label=fingerprint, nonce="aaaa",
        earlier_tries=earlier_tries,
    )  # fmt: skip
    record = RunRecord(
        run_id=run.run_id, timestamp=when.isoformat(), status=status, benchmark="human_eval", model="m", config={},
        sweep=place,
    )  # fmt: skip
    run.write_record(record)
    return run


def test_of_two_tries_in_one_second_the_later_one_counts(folder):
    """Ids of one second are in no order: a run that was tried again at once would else stay failed."""
    for number in range(8):
        written(folder, fingerprint=f"f{number}", status=RunStatus.FAILED)
        time.sleep(0.002)
        written(folder, fingerprint=f"f{number}")
    assert folder.done(warn=pytest.fail) == {f"f{number}" for number in range(8)}


@pytest.mark.parametrize("step", [dt.timedelta(hours=1), dt.timedelta(days=3), dt.timedelta(days=9999)])
def test_a_clock_that_is_set_back_loses_no_run(folder, step):
    """It would be done again and again."""
    written(folder, when=NOW - step)
    assert folder.done(warn=pytest.fail) == {"f1"}


@pytest.mark.parametrize("first", [RunStatus.FAILED, RunStatus.INTERRUPTED, RunStatus.SUCCEEDED])
@pytest.mark.parametrize("second", [RunStatus.FAILED, RunStatus.INTERRUPTED, RunStatus.SUCCEEDED])
def test_the_newest_try_is_known_whatever_the_clock_says(folder, first, second):
    written(folder, status=first)
    newest = written(folder, status=second, when=NOW - dt.timedelta(days=3), earlier_tries=1)
    (found, record) = folder.runs(warn=pytest.fail)["f1"]
    assert (found, record.status) == (newest, second)


def test_a_success_without_a_count_of_tries_is_not_hidden_by_a_failure_whose_clock_was_ahead(folder):
    """Records of older versions have no count."""
    written(folder, status=RunStatus.FAILED)
    written(folder, when=NOW - dt.timedelta(days=3))
    assert folder.done(warn=pytest.fail) == {"f1"}


def test_a_run_of_another_sweep_is_none_of_this_one_whatever_is_in_it(folder):
    """Nor is it read again: a results folder has thousands."""
    written(folder)
    other = written(folder, fingerprint="f2", sweep_id="another sweep")
    other.run_json.write_bytes(
        other.run_json.read_bytes().replace(b'"schema_version":1', b'"schema_version":99')
    )
    assert folder.done(warn=pytest.fail) == {"f1"}


def test_changed_and_new_records_are_seen_and_a_broken_one_is_told_once(folder):
    written(folder, sweep_id="another sweep")
    assert folder.runs(warn=pytest.fail) == {}
    run = written(folder, status=RunStatus.FAILED)
    assert folder.done(warn=pytest.fail) == set()
    failed = folder.runs(warn=pytest.fail)["f1"][1]
    run.write_record(msgspec.structs.replace(failed, status=RunStatus.SUCCEEDED))
    written(folder, fingerprint="f2")
    assert folder.done(warn=pytest.fail) == {"f1", "f2"}
    run.run_json.write_text("{")
    said: list[str] = []
    for _ in range(3):
        assert folder.runs(warn=said.append).keys() == {"f2"}
    assert len(said) == 1


def test_one_who_only_asks_is_not_in_the_way_of_a_claim(folder):
    """`status --watch` looks every second whether the sweep is alive."""
    stop = threading.Event()

    def ask():
        while not stop.is_set():
            folder.worker_pid()

    asking = [threading.Thread(target=ask) for _ in range(3)]
    for thread in asking:
        thread.start()
    try:
        for _ in range(200):
            with folder.claim():
                pass
    finally:
        stop.set()
        for thread in asking:
            thread.join()
    with folder.claim(), pytest.raises(ResultsError, match="already running in process"), folder.claim():
        pass
