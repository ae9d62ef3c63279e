"""The index in PostgreSQL answers as the folders do; and no kill leaves an index that is wrong."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from results.store.index.database import OtherFolder
from results.store.index.opening import Following, open_run_store
from results.store.reading.folder_run_store import FolderRunStore
from tests.benchmarks.made_runs import made_runs
from tests.results.recorded_runs import F, P, record_run
from tests.results.store.stores import change, differences
from tests.web.jobs.conftest import add
from web.config import Limits, ServeConfig
from web.database.database import open_database
from web.jobs.queue import Queue

if TYPE_CHECKING:
    from tests.web.postgres import Postgres

pytestmark = pytest.mark.web
ROOT = Path(__file__).parents[2]
REFRESH = """
import sys
import threading
from pathlib import Path
from results.store.index.opening import open_run_store
store = open_run_store(Path(sys.argv[1]), sys.argv[2] or None)
print("begins", flush=True)
store.refresh(within_s=None)
print("done", flush=True)
"""


def test_it_answers_as_the_folders_do_whatever_happens_to_them(tmp_path, postgres: Postgres):
    drawn = random.Random(11)
    happened = []
    store = open_run_store(tmp_path, postgres.new_database())
    for _ in range(4):
        happened += [change(tmp_path, drawn) for _ in range(6)]
        assert store.refresh()
        assert not differences(store, FolderRunStore(tmp_path)), happened
    assert not store.damaged
    store.indexer.rebuild()
    assert not differences(store, FolderRunStore(tmp_path)), happened
    store.database.dispose()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_no_kill_leaves_it_wrong(tmp_path, postgres: Postgres, kind):
    made_runs(tmp_path, runs=40, samples=60, benchmarks=("human_eval", "mbpp"))
    url = postgres.new_database() if kind == "postgresql" else ""
    drawn = random.Random(3)
    kills = 0
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", REFRESH, tmp_path, url], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "begins\n"
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(drawn.uniform(0, 0.4))
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
        process.stdout.close()
        change(tmp_path, drawn)
    assert kills
    store = open_run_store(tmp_path, url or None)
    assert store.refresh(within_s=None)
    assert not differences(store, FolderRunStore(tmp_path))
    assert not store.damaged
    store.database.dispose()


def test_a_long_rebuild_holds_up_no_decision_of_the_queue(tmp_path, postgres: Postgres):
    url = postgres.new_database()
    store = open_run_store(tmp_path / "runs", url)
    queue = open_database(
        ServeConfig(results_dir=tmp_path / "runs", state_dir=tmp_path / "state", database_url=url)
    )
    with store.database.writing():
        job = add(Queue(queue, Limits()))  # an error where it has to wait
    assert Queue(queue, Limits()).get(job.job_id) == job
    queue.close()
    store.database.dispose()


def test_another_results_folder_is_refused_and_answers_by_itself(tmp_path, postgres: Postgres):
    url = postgres.new_database()
    first_dir, second_dir = tmp_path / "first", tmp_path / "second"
    record_run(first_dir, [P])
    record_run(second_dir, [F, P])
    first, second = open_run_store(first_dir, url), open_run_store(second_dir, url)
    assert first.refresh()
    for refused in (second.refresh, second.indexer.rebuild):
        with pytest.raises(OtherFolder, match="another results folder"):
            refused()
    for store, folder in ((first, first_dir), (second, second_dir)):
        assert not differences(store, FolderRunStore(folder))
    warned, told = [], threading.Event()
    with Following(second, warn=lambda said: (warned.append(said), told.set())):
        assert told.wait(60)
    assert "another results folder" in warned[0]
    first_dir.rename(tmp_path / "moved")
    moved = open_run_store(tmp_path / "moved", url)
    assert moved.refresh()
    assert len(moved.rows()) == 1
    postgres.sql("DROP SCHEMA run_index CASCADE", url.split("/")[3].split("?")[0])
    assert second.refresh(), "after its owner removed it, the database is free"
    assert not differences(second, FolderRunStore(second_dir))
    with pytest.raises(OtherFolder):
        moved.refresh()
    assert len(moved.rows()) == 1
    for store in (first, second, moved):
        store.database.dispose()
