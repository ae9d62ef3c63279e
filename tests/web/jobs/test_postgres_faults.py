"""What only PostgreSQL can do to a queue: other settings, refusals, crashes, and clocks that differ."""

from __future__ import annotations

import re
import select
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from results.errors import ResultsError
from tests.web.jobs.conftest import add
from tests.web.postgres import throw_away_cluster
from web.config import Limits, ServeConfig
from web.database import database as module
from web.database.database import open_database
from web.database.trouble import DatabaseUnavailable
from web.jobs.claiming import LEASE_S
from web.jobs.queue import Queue
from web.jobs.refusals import QueueFull

pytestmark = pytest.mark.web
WITHIN_S = 60.0


@pytest.fixture
def opened(tmp_path):
    """Open a database by its URL; all are closed at the end."""
    databases = []

    def opens(url):
        config = ServeConfig(results_dir=tmp_path, state_dir=tmp_path / "state", database_url=url)
        databases.append(open_database(config))
        return databases[-1]

    yield opens
    for database in databases:
        database.close()


@pytest.mark.parametrize("level", ["serializable", "repeatable read"])
def test_limits_are_exact_whatever_level_an_administrator_set(postgres, opened, level):
    """At these levels a decision would see what was there before it waited for the one before it."""
    url = postgres.new_database()
    name = url.split("/")[3].split("?")[0]
    postgres.sql(f"ALTER DATABASE {name} SET default_transaction_isolation = '{level}'")
    postgres.sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    first, second = opened(url), Queue(opened(url), Limits(queued_per_user=1))
    refused, waits = [], threading.Event()

    def adds():
        waits.set()
        try:
            add(second)
        except QueueFull as full:
            refused.append(full)

    thread = threading.Thread(target=adds)
    with first.decide() as connection:
        thread.start()
        waits.wait(WITHIN_S)
        blocked = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        while postgres.sql(blocked) != [(1,)]:
            time.sleep(0.01)
        from tests.web.jobs.conftest import new_job

        Queue(first, Limits()).insert(connection, new_job())
    thread.join()
    assert len(refused) == 1


def test_leases_go_by_the_server_s_clock(postgres, opened, monkeypatch):
    """A host whose clock is wrong by years neither loses its job nor takes another's."""
    database = opened(postgres.new_database())
    queue = Queue(database, Limits())
    add(queue)
    claim = queue.claim("right", ["gpu0"])
    with monkeypatch.context() as wrong:
        wrong.setattr(time, "time", lambda: 4e9)
        assert queue.orphans("right") == ()
        assert queue.claim("wrong", ["gpu0"]) is None
        queue.beat(claim)
    with database.decide() as connection:  # as if so much time had passed
        connection.exec_driver_sql(f"UPDATE jobs SET lease_until = lease_until - {LEASE_S + 1}")
    assert queue.claim("other", ["gpu0"]) is not None


def test_a_crash_of_the_server_passes(opened):
    with throw_away_cluster() as server:
        database = opened(server.new_database())
        queue = Queue(database, Limits())
        kept = add(queue)
        with database.waiter() as waiter:
            server.stop(signal.SIGQUIT)
            descriptor = waiter.fileno()
            assert select.select([descriptor], [], [], WITHIN_S)[0]
            assert waiter.wait(WITHIN_S)  # it looks, rather than wait for what can't come
            assert select.select([descriptor], [], [], 0)[0] == []  # who polls it doesn't spin
            with pytest.raises(DatabaseUnavailable) as refused:
                add(queue)
            assert refused.value.hint
            server.start()
            assert queue.get(kept.job_id) == kept
            while waiter.wait(0):  # connects again
                pass
            add(queue)
            assert select.select([descriptor], [], [], WITHIN_S)[0]
            assert waiter.wait(WITHIN_S)


def test_a_lock_that_is_held_for_ever_is_an_error(postgres, opened, monkeypatch):
    monkeypatch.setattr(module, "_LOCK_TIMEOUT_S", 1)
    url = postgres.new_database()
    first, second = opened(url), opened(url)
    with first.decide(), pytest.raises(DatabaseUnavailable, match="lock timeout"):
        add(Queue(second, Limits()))
    add(Queue(second, Limits()))


def test_what_can_not_be_opened_says_what_to_do(postgres, opened):
    good = postgres.new_database()
    name = good.split("/")[3].split("?")[0]
    host = postgres.folder
    postgres.sql("CREATE ROLE stranger LOGIN")
    postgres.sql("CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0")
    opened(good)
    postgres.sql("REVOKE ALL ON SCHEMA public FROM PUBLIC", name)
    wrong = {
        f"postgresql://bench:hunter2@/nowhere?host={host}": "createdb",
        f"postgresql://nobody_here@/{name}?host={host}&password=hunter2": "role that exists",
        f"postgresql://bench:hunter2@/x?host={host}/elsewhere": "psql",
        f"postgresql://stranger@/{name}?host={host}": "rights|own the database",
        f"postgresql://bench@/ascii?host={host}": "UTF8",
        "postgresql://bench:hunter2@localhost:1/x?connect_timeout=5": "psql",
    }
    for url, hint in wrong.items():
        with pytest.raises(ResultsError) as refused:
            opened(url)
        said = refused.value.message + refused.value.hint
        assert any(part in refused.value.hint for part in hint.split("|")), (url, said)
        assert "hunter2" not in said
        assert "\n" not in said


def test_a_listener_gives_its_connection_back(postgres, opened):
    url = postgres.new_database()
    database = opened(url)
    listening = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
    for _ in range(3):
        with database.waiter() as waiter:
            assert not waiter.wait(0)
            assert postgres.sql(listening)[0][0] >= 1
    deadline = time.monotonic() + WITHIN_S
    while postgres.sql(listening) != [(0,)]:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_dump_that_is_made_as_told_restores_all(postgres, opened):
    """The options of docs/serve.md."""
    page = (Path(__file__).parents[3] / "docs" / "serve.md").read_text(encoding="utf-8")
    dump = re.search(r"^pg_dump (.*) -f /backup/serve.dump bench$", page, re.MULTILINE)[1].split()
    restore = re.search(r"`pg_restore (.*?) --dbname bench /backup/serve.dump`", page)[1].split()
    url = postgres.new_database()
    queue = Queue(opened(url), Limits())
    kept = add(queue)
    file = postgres.folder / "serve.dump"
    subprocess.run([postgres.program("pg_dump"), *dump, "-f", file, url], check=True)
    late = add(queue)
    subprocess.run([postgres.program("pg_restore"), *restore, "--dbname", url, file], check=True)
    after = Queue(opened(url), Limits())
    assert (after.get(kept.job_id), after.get(late.job_id)) == (kept, None)
    add(after)


def test_new_tables_are_made_once_by_many(postgres, tmp_path):
    url = postgres.new_database()
    config = ServeConfig(results_dir=tmp_path, state_dir=tmp_path / "state", database_url=url)
    databases, failures = [], []

    def opens():
        try:
            databases.append(open_database(config))
        except ResultsError as error:
            failures.append(error.message)

    threads = [threading.Thread(target=opens) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    jobs = {add(Queue(database, Limits())).job_id for database in databases}
    assert (failures, len(jobs)) == ([], 6)
    for database in databases:
        database.close()
