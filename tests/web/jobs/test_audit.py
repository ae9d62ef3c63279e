"""The audit log stays bounded, whatever is asked."""

from __future__ import annotations

import json

import pytest

from tests.command_line import bench_runners
from tests.web.jobs.conftest import add
from web.jobs import audit
from web.jobs.audit import Audit
from web.jobs.refusals import QueueFull


def test_who_did_what(bench):
    queue = bench.queue(queued_per_user=1)
    job = add(queue)
    for _ in range(5):
        with pytest.raises(QueueFull):
            add(queue)
    queue.cancel(job.job_id, "root")
    queue.retry(job.job_id, "ada")
    log = Audit(bench.database)
    assert [(row.who, row.what) for row in log.rows()] == [
        ("ada", "job retried"),
        ("root", "job cancelled"),
        ("ada", "job refused"),  # the same within a minute is one row
        ("ada", "job added"),
    ]
    assert [row.what for row in log.rows(who="root")] == ["job cancelled"]
    assert log.rows(who="\x00") == ()
    newest = log.rows(limit=1)[0]
    assert [row.what for row in log.rows(before=newest.number, limit=1)] == ["job cancelled"]


def test_texts_of_any_kind_are_kept_short(bench):
    log = Audit(bench.database)
    log.note("a\x00b", "said " + "x" * 10_000, "\ud800")
    (row,) = log.rows()
    assert (row.who, row.on, len(row.what)) == ("a?b", "?", 300)


def test_the_oldest_rows_go(bench, monkeypatch):
    monkeypatch.setattr(audit, "MOST_ROWS", 20)
    monkeypatch.setattr(audit, "_SWEEP_EVERY", 10)
    log = Audit(bench.database)
    for number in range(45):
        log.note("ada", "did", str(number))
    rows = log.rows(limit=1000)
    assert 20 <= len(rows) <= 30
    assert rows[0].on == "44"


def test_the_command_shows_it_and_acts_on_no_text(bench):
    if bench.config.database_url:
        pytest.skip("the same code; SQLite is enough")
    Audit(bench.database).note("ada", "key added for bob", "3f9a01b2c4d5")
    Audit(bench.database).note("bob\x1b[31m", "said\n\x1b]0;title\x07 \u202e", "=1+1")
    words = ("keys", "log", "--state-dir", bench.config.state_dir)
    table, one, lines = bench_runners(words, (*words, "--user", "ada"), (*words, "--json"))
    assert (table.code, one.code, lines.code) == (0, 0, 0)
    assert not {"\x1b", "\x07", "\u202e"} & set(table.out)
    assert len(table.out.splitlines()) == 3
    assert "key added for bob" in one.out
    assert "said" not in one.out
    assert [json.loads(line)["who"] for line in lines.out.splitlines()] == ["bob\x1b[31m", "ada"]
