"""Opening the database: private, brought to this version, and with a clear error where it can't be used."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from results.errors import ResultsError
from tests.web.jobs.conftest import add, new_job
from web.config import Limits, ServeConfig
from web.database.database import open_database
from web.database.tables import HEAD, metadata
from web.database.trouble import DatabaseUnavailable
from web.jobs.job import JobStatus, names_of
from web.jobs.queue import JobQuery, Queue


@pytest.fixture
def config(tmp_path):
    return ServeConfig(results_dir=tmp_path, state_dir=tmp_path / "state")


def file_of(config):
    return config.state_dir / "serve.sqlite3"


def test_the_migrations_make_what_tables_says(bench):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    from web.database import database

    with bench.database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    assert ScriptDirectory(str(database._MIGRATIONS)).get_current_head() == HEAD


def test_only_its_user_may_read_it(config):
    config.state_dir.mkdir(mode=0o755)
    file_of(config).touch(0o644)
    old = os.umask(0)
    try:
        database = open_database(config)
        add(Queue(database, Limits()))
        with database.waiter():
            made = [config.state_dir, *config.state_dir.rglob("*")]
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in made}
    finally:
        os.umask(old)
    database.close()
    assert {name for name, mode in modes.items() if mode & 0o077} == set()
    assert len(modes) >= 6


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused(config):
    config.state_dir.mkdir(mode=0o777)
    os.chown(config.state_dir, 65534, 65534)
    with pytest.raises(ResultsError, match="another user") as refused:
        open_database(config)
    assert refused.value.hint


def test_a_database_of_the_first_tables_is_brought_to_the_newest(bench):
    add(bench.queue(), suite="mbpp")
    with bench.database.decide() as connection:
        for table in ("jobs", "schedules"):
            connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN names")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    queue = Queue(bench.again(), Limits())
    assert queue.jobs(JobQuery(suite="mbpp")).total == 1
    add(queue, suite="mbpp, gsm8k", names=names_of(["mbpp", "gsm8k"], []))
    assert queue.jobs(JobQuery(suite="mbpp")).total == 2


def test_a_newer_one_is_refused_and_left_alone(bench):
    with bench.database.decide() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ResultsError, match="newer version") as refused:
        bench.again()
    assert refused.value.hint
    with bench.database.read() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == "9999"
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{HEAD}'")  # for the next test


@pytest.mark.parametrize("content", [b"not a database " * 500, b"SQLite format 3\x00" + b"\xff" * 9000])
def test_a_damaged_file_is_refused_and_left_alone(config, content):
    config.state_dir.mkdir()
    file_of(config).write_bytes(content)
    with pytest.raises(ResultsError) as refused:
        open_database(config)
    assert str(file_of(config)) in refused.value.message
    assert "backup" in refused.value.hint
    assert file_of(config).read_bytes() == content


def test_a_file_that_was_damaged_meanwhile(config):
    database = open_database(config)
    queue = Queue(database, Limits(queued_per_user=10_000))
    for _ in range(5):
        queue.add(new_job(manifest="x" * 30_000))
    database.close()  # all is in the file now
    size = file_of(config).stat().st_size
    with file_of(config).open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with pytest.raises(ResultsError, match="malformed"):
        Queue(open_database(config), Limits()).counts()


@pytest.mark.parametrize("what", ["folder", "file", "fifo"])
def test_something_else_in_its_place(config, what):
    if what == "file":
        config.state_dir.write_text("")
    else:
        config.state_dir.mkdir()
        (os.mkfifo if what == "fifo" else os.mkdir)(file_of(config))
    with pytest.raises(ResultsError) as refused:
        open_database(config)
    assert refused.value.hint


def test_a_full_disk_loses_nothing_and_passes(config):
    """SQLite's own limit of pages gives the error of a full disk."""
    database = open_database(config)
    queue = Queue(database, Limits(queued_per_user=1000))
    kept = add(queue)
    with database.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(
            f"PRAGMA max_page_count = {pages}"
        )  # of the connection that is in the pool
    with pytest.raises(DatabaseUnavailable, match="full") as refused:
        queue.add(new_job(manifest="x" * 1_000_000))
    assert "space" in refused.value.hint
    assert queue.get(kept.job_id) == kept
    with database.read() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    assert queue.add(new_job(manifest="x" * 1_000_000)).status is JobStatus.PENDING
    database.close()


def test_a_database_that_may_not_be_written_says_so(config):
    database = open_database(config)
    with database.read() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")
    with pytest.raises(ResultsError, match="readonly") as refused:
        add(Queue(database, Limits()))
    assert "writable" in refused.value.hint
    database.close()


def test_a_writer_that_never_ends_is_an_error_with_a_hint(config):
    first, second = open_database(config), open_database(config)
    with second.read() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 1")
    with first.decide(), pytest.raises(DatabaseUnavailable, match="locked"):
        add(Queue(second, Limits()))
    add(Queue(second, Limits()))
    for database in (first, second):
        database.close()


def test_a_new_file_is_made_once_by_many(config):
    opened, failures = [], []

    def opens():
        try:
            opened.append(open_database(config))
        except ResultsError as error:
            failures.append(error.message)

    threads = [threading.Thread(target=opens) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    jobs = {add(Queue(database, Limits())).job_id for database in opened}
    assert set(Queue(opened[0], Limits()).places()) == jobs
    for database in opened:
        database.close()


def test_a_backup_that_is_made_as_told_while_it_is_used_restores_all(config, tmp_path):
    """The program of docs/serve.md, as it stands there."""
    page = (Path(__file__).parents[3] / "docs" / "serve.md").read_text(encoding="utf-8")
    program = re.search(r"python -c '(.*?)'", page, re.DOTALL)[1]
    database = open_database(config)
    queue = Queue(database, Limits())
    kept = add(queue)
    restored = ServeConfig(results_dir=tmp_path, state_dir=tmp_path / "restored")
    restored.state_dir.mkdir()
    with database.read() as connection:  # a reader keeps the newest rows out of the file itself
        connection.exec_driver_sql("SELECT count(*) FROM jobs")
        late = add(queue)
        subprocess.run([sys.executable, "-c", program, file_of(config), file_of(restored)], check=True)
    copy = open_database(restored)
    assert {job.job_id for job in Queue(copy, Limits()).jobs(JobQuery()).jobs} == {kept.job_id, late.job_id}
    for each in (database, copy):
        each.close()


def test_an_error_in_a_decision_undoes_it(bench):
    queue = bench.queue()
    with pytest.raises(RuntimeError), bench.database.decide() as connection:
        queue.insert(connection, new_job())
        raise RuntimeError
    assert queue.counts()[JobStatus.PENDING] == 0
    add(queue)
