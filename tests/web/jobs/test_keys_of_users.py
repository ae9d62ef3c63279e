"""Keys of the API, on both databases."""

from __future__ import annotations

import sqlite3

import pytest

from results.errors import UsageError
from tests.web.jobs.conftest import add
from web.access.role import Role
from web.jobs.audit import Audit
from web.jobs.job import JobStatus
from web.jobs.keys import Keys
from web.jobs.refusals import NoSuchJob


def test_a_key_opens_until_it_is_revoked(bench):
    keys = Keys(bench.database)
    key, secret = keys.add("ada", Role.RUN)
    assert keys.find(secret) == key
    assert keys.get(key.key_id).user == "ada"
    assert keys.revoke(key.key_id, by="root").revoked_at == bench.clock.now
    assert keys.find(secret) is None
    assert keys.get(key.key_id) is None
    bench.clock.now += 5
    assert keys.revoke(key.key_id).revoked_at == bench.clock.now - 5  # again: no change
    assert [found.key_id for found in keys.list()] == [key.key_id]
    said = [(row.who, row.what) for row in Audit(bench.database).rows()]
    assert said == [("root", "key of ada revoked"), ("operator", "key added for ada (run)")]


def test_what_is_nearly_a_key_opens_nothing(bench):
    keys = Keys(bench.database)
    key, secret = keys.add("ada", Role.ADMIN)
    _, other = keys.add("bob", Role.READ)
    wrong = [
        "",
        secret[:-1],
        secret + "A",
        secret + "\n",
        secret.swapcase(),
        secret.replace("bench_", ""),
        f"bench_{key.key_id}_{other.rpartition('_')[2]}",
        f"bench_{'0' * 12}_{secret[-43:]}",
        "bench_' OR 1=1 --",
        "\x00",
        "\udc80" * 60,
        "bench_" + "٣" * 12 + "_" + "a" * 43,
        "x" * 1_000_000,
    ]
    assert [found for found in map(keys.find, wrong) if found is not None] == []
    for key_id in ("", "\x00", "\ud800", "%", "' OR 1=1 --"):
        assert keys.get(key_id) is None
        with pytest.raises(NoSuchJob):
            keys.revoke(key_id)


def test_secrets_are_not_in_the_database(bench, tmp_path):
    if bench.config.database_url:
        pytest.skip("looks into SQLite's files")
    keys = Keys(bench.database)
    _, secret = keys.add("ada", Role.RUN)
    keys.find(secret)
    random_part = secret[-24:].encode()  # it may have underscores
    files = [path for path in bench.config.state_dir.rglob("*") if path.is_file()]
    assert len(files) >= 2
    assert [path for path in files if random_part in path.read_bytes()] == []


def test_names_of_users_are_plain(bench):
    for name in ("", " ", "a b", "-x", "a\n", "../x", "a" * 65, "é", "<b>", "a\x00"):
        with pytest.raises(UsageError):
            Keys(bench.database).add(name, Role.RUN)


def test_when_a_key_was_used_is_known_to_a_minute(bench):
    keys = Keys(bench.database)
    _, secret = keys.add("ada", Role.RUN)
    assert keys.list()[0].last_used_at is None
    first = bench.clock.now
    for seconds in (0, 30, 29):
        bench.clock.now += seconds
        keys.find(secret)
        assert keys.list()[0].last_used_at == first
    bench.clock.now += 2
    keys.find(secret)
    assert keys.list()[0].last_used_at == bench.clock.now


def test_a_full_disk_keeps_no_key_from_opening(bench, monkeypatch):
    """That it was used can't be noted then, which is no reason to refuse."""
    if bench.config.database_url:
        pytest.skip("SQLite says so by itself; PostgreSQL's disk is not ours")
    keys = Keys(bench.database)
    _, secret = keys.add("ada", Role.RUN)
    other = sqlite3.connect(bench.config.state_dir / "serve.sqlite3", isolation_level=None)
    with monkeypatch.context() as patched:
        patched.setattr(bench.database.engine.pool, "_timeout", 1)
        with bench.database.read() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout = 1")  # this connection is the one in the pool
        other.execute("BEGIN IMMEDIATE")
        try:
            assert keys.find(secret).user == "ada"
        finally:
            other.execute("ROLLBACK")
            other.close()


def test_users_are_those_who_have_keys(bench):
    keys = Keys(bench.database)
    bob, _ = keys.add("bob", Role.READ)
    keys.add("ada", Role.RUN)
    admin, _ = keys.add("ada", Role.ADMIN)
    assert [(user.user, user.role, user.keys) for user in keys.users()] == [
        ("ada", Role.ADMIN, 2),
        ("bob", Role.READ, 1),
    ]
    keys.revoke(admin.key_id)
    keys.revoke(bob.key_id)
    assert {user.user: user.role for user in keys.users()} == {"ada": Role.RUN, "bob": None}


def test_with_the_last_key_that_starts_jobs_what_waits_is_cancelled_and_nothing_else(bench):
    keys, queue = Keys(bench.database), bench.queue()
    first, _ = keys.add("eve", Role.RUN)
    second, _ = keys.add("eve", Role.ADMIN)
    keys.add("eve", Role.READ)
    running, stopped, waiting = (add(queue, user="eve") for _ in range(3))
    other = add(queue, user="ada")
    queue.claim("h", ["gpu0", "gpu1"])
    claim = queue.claim("h", ["gpu0", "gpu1"])
    queue.started(claim)
    queue.release(claim)

    def statuses():
        return [queue.get(job.job_id).status for job in (running, stopped, waiting, other)]

    before = [JobStatus.RUNNING, JobStatus.INTERRUPTED, JobStatus.PENDING, JobStatus.PENDING]
    keys.revoke(first.key_id)
    assert statuses() == before
    keys.revoke(second.key_id, by="root")
    assert statuses() == [JobStatus.RUNNING, JobStatus.CANCELLED, JobStatus.CANCELLED, JobStatus.PENDING]
    ended = queue.get(waiting.job_id)
    assert (ended.detail, ended.completed_at) == (
        "cancelled: its user's last key was revoked",
        bench.clock.now,
    )
    assert [(row.who, row.what) for row in Audit(bench.database).rows(limit=2)] == [
        ("root", "job cancelled")
    ] * 2
