"""The index answers as the folders do, whatever happens to them, and no damage to it is ever trusted."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import threading
from typing import TYPE_CHECKING

import msgspec
import pytest

from results.records import Remarks, RunStatus
from results.store.index.checking import Check
from results.store.index.opening import Following, open_run_store
from results.store.reading.folder_run_store import FolderRunStore
from results.store.run_store import RunQuery
from results.store.sql import INDEX_NAME
from tests.results.recorded_runs import F, P, record_run
from tests.results.store.stores import change, differences, lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from results.store.index.sql_run_store import SqlRunStore


@contextlib.contextmanager
def index_of(results_dir: Path) -> Iterator[SqlRunStore]:
    store = open_run_store(results_dir)
    try:
        assert store.refresh(within_s=None)
        yield store
    finally:
        store.database.dispose()


@pytest.mark.parametrize("seed", range(2))
def test_it_answers_as_the_folders_do_whatever_happens_to_them(tmp_path, seed):
    drawn = random.Random(seed)
    happened = []
    with index_of(tmp_path) as store:
        for _ in range(7):
            happened += [change(tmp_path, drawn) for _ in range(4)]
            assert store.refresh()
            assert not differences(store, FolderRunStore(tmp_path)), happened
        assert not store.damaged
    with index_of(tmp_path) as again:
        assert not differences(again, FolderRunStore(tmp_path)), happened


def test_two_writers_at_once_leave_it_right(tmp_path):
    drawn = random.Random(5)
    record_run(tmp_path, [P, F])
    stop = threading.Event()
    failed: list[Exception] = []

    def refresh() -> None:
        with index_of(tmp_path) as store:
            try:
                while not stop.is_set():
                    store.refresh(within_s=None)
                    store.runs(RunQuery())
            except Exception as error:  # noqa: BLE001 - told below
                failed.append(error)

    threads = [threading.Thread(target=refresh) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(15):
        change(tmp_path, drawn)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failed
    with index_of(tmp_path) as store:
        assert not differences(store, FolderRunStore(tmp_path))


def _garbage(path: Path) -> None:
    path.write_bytes(b"no database at all" * 1000)


def _middle(path: Path) -> None:
    data = bytearray(path.read_bytes())
    for place in range(4096, len(data), 4096):
        data[place : place + 100] = b"\xee" * 100
    path.write_bytes(data)


def _half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: 4096 * 3 + 17])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _no_table(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE samples")


def _other_version(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE meta SET value = '0' WHERE name = 'version'")
        connection.execute("UPDATE samples SET outcome = 1")


@pytest.mark.parametrize("damage", [_garbage, _middle, _half, _empty, _no_table, _other_version])
def test_a_damaged_index_is_never_trusted_and_made_anew(tmp_path, damage):
    for _ in range(3):
        record_run(tmp_path, [P, F, P])
    with index_of(tmp_path):
        pass
    damage(tmp_path / INDEX_NAME)
    store = open_run_store(tmp_path)
    changed = threading.Event()
    with Following(store, then=changed.set):
        assert changed.wait(30)
    assert not differences(store, FolderRunStore(tmp_path))
    assert not store.damaged
    store.database.dispose()


def test_a_benchmark_whose_name_no_column_takes_whole_is_no_disagreement(tmp_path):
    record_run(tmp_path, [P, F], benchmark="a\0b" + "c" * 600)
    with index_of(tmp_path) as store:
        assert not [*Check(store.database).disagreements()]


def test_a_change_of_the_same_length_in_an_earlier_completion_is_seen(tmp_path):
    run = record_run(tmp_path, [P, *[F] * 20])
    with index_of(tmp_path) as store:
        before = run.completions.read_bytes()
        changed = before.replace(b'"passed"', b'"failed"', 1)
        assert changed != before
        with run.completions.open("r+b") as file:
            file.write(changed)
        os.utime(run.completions, ns=(1, 1))  # a clock may be too coarse for two writes
        assert store.refresh()
        assert not differences(store, FolderRunStore(tmp_path))


def test_a_run_that_is_resumed_is_seen_at_the_next_look(tmp_path):
    """Neither the folder of the runs nor their log changes then."""
    run = record_run(tmp_path, [P, F], status=RunStatus.INTERRUPTED)
    notes = tmp_path / ".unlogged"
    notes.mkdir(exist_ok=True)
    with index_of(tmp_path) as store:
        following = Following(store)
        states = [following._state()]
        (notes / run.run_id).touch()
        states.append(following._state())
        run.write_record(msgspec.structs.replace(run.read_record(), status=RunStatus.STARTED))
        states.append(following._state())
        assert states[2] == following._state()
    assert states[0] != states[1] != states[2]


def test_the_results_of_a_run_that_has_just_ended_are_there_before_the_next_look(tmp_path):
    run = record_run(tmp_path, [P, F])
    ended = run.read_record()
    run.write_record(msgspec.structs.replace(ended, status=RunStatus.STARTED, score=None))
    with run.claim(), index_of(tmp_path) as store:
        assert store.row(run.run_id).status is RunStatus.STARTED
        run.write_record(ended)
        assert (store.row(run.run_id).status, store.row(run.run_id).score) == (RunStatus.SUCCEEDED, 50.0)


def test_what_happened_since_the_index_was_refreshed_is_no_disagreement(tmp_path):
    runs = [record_run(tmp_path, [P, F]) for _ in range(3)]
    with index_of(tmp_path) as store:
        with runs[0].completions.open("ab") as file:
            file.write(lines(random.Random(0)))
        runs[1].write_record(msgspec.structs.replace(runs[1].read_record(), remarks=Remarks(label="new")))
        assert not [*Check(store.database).disagreements()]


@pytest.mark.parametrize(
    ("tampering", "how"),
    [
        ("UPDATE samples SET outcome = 1 - outcome WHERE run = 1 AND task = 1", "1 of 2 completions differ"),
        ("UPDATE samples SET place = 5 WHERE run = 1 AND task = 1", "1 of 2 completions differ"),
        ("DELETE FROM samples WHERE run = 2", "2 of 2 completions differ"),
        ("DELETE FROM slices WHERE run = 1", "its sums by tag differ"),
        ("UPDATE tasks SET passed = passed + 1 WHERE task = 2", "the sums of 1 problems differ"),
        (
            "UPDATE runs SET facts = replace(facts, 'Some-1B', 'Other-1B') WHERE run = 1",
            "said of the run differs",
        ),
        ("UPDATE runs SET counted = 0 WHERE run = 1", "whether it counts differs"),
        ("DELETE FROM runs WHERE run = 2", "it is missing"),
    ],
)
def test_an_index_that_disagrees_with_the_folders_is_found(tmp_path, tampering, how):
    for _ in range(2):
        record_run(tmp_path, [P, F])
    with index_of(tmp_path) as store:
        assert not [*Check(store.database).disagreements()]
        with contextlib.closing(sqlite3.connect(tmp_path / INDEX_NAME)) as connection, connection:
            connection.execute(tampering)
        assert any(how in said for _, said in Check(store.database).disagreements())
