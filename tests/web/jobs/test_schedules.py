"""Jobs by the clock, on both databases; and the clock's odd hours."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from results.errors import UsageError
from tests.web.jobs.conftest import add
from web.access.role import Role
from web.jobs.audit import Audit
from web.jobs.cron import next_time
from web.jobs.job import JobStatus, Priority
from web.jobs.keys import Keys
from web.jobs.queue import Queue
from web.jobs.refusals import NoSuchJob
from web.jobs.schedules import MOST_OF_A_USER, NewSchedule, Schedules

BERLIN = ZoneInfo("Europe/Berlin")


def new_schedule(**changes) -> NewSchedule:
    values = {
        "user": "ada",
        "name": "nightly",
        "cron": "30 2 * * *",
        "suite": "mbpp",
        "model_name": "m",
        "manifest": "{}",
    }
    return NewSchedule(**values | changes)


def test_a_schedule_posts_at_its_time_at_low_priority(bench):
    queue, schedules = bench.queue(), Schedules(bench.database)
    assert schedules.due_in_s() is None
    made = schedules.add(new_schedule(project_id="7", needs_device=False))
    assert schedules.due_in_s() == made.next_at - bench.clock.now > 0
    assert schedules.post_due(queue) == ()
    bench.clock.now = made.next_at
    assert schedules.due_in_s() == 0
    (job,) = schedules.post_due(queue)
    assert (job.priority, job.schedule_id, job.project_id) == (Priority.LOW, made.schedule_id, "7")
    assert (job.user, job.needs_device) == ("ada", False)
    assert schedules.post_due(queue) == ()
    (now,) = schedules.list()
    assert (now.next_at, now.posted_at, now.job_id) == (made.next_at + 86400, made.next_at, job.job_id)


def test_times_that_were_missed_are_made_up_for_once(bench):
    queue, schedules = bench.queue(), Schedules(bench.database)
    schedules.add(new_schedule(cron="*/5 * * * *"))
    bench.clock.now += 86400
    assert len(schedules.post_due(queue)) == 1
    assert schedules.due_in_s() > 0


def test_nothing_is_posted_while_the_last_job_waits_or_the_queue_is_full(bench):
    queue, schedules = bench.queue(queued_per_user=2), Schedules(bench.database)
    made = schedules.add(new_schedule(cron="* * * * *"))

    def after_a_minute():
        bench.clock.now += 60
        return schedules.post_due(queue), schedules.get(made.schedule_id).detail

    (job,), detail = after_a_minute()
    assert detail == ""
    assert after_a_minute() == ((), "its last job still waits")
    queue.ended(queue.claim("h", ["gpu0"]), JobStatus.COMPLETED)
    for _ in range(2):
        add(queue)
    assert after_a_minute() == ((), "too many of the user's jobs wait")
    assert Audit(bench.database).rows()[0].what == "schedule skipped: too many of the user's jobs wait"
    queue.claim("h", ["gpu0"])
    posted, detail = after_a_minute()
    assert (len(posted), detail) == (1, "")
    assert posted[0].job_id != job.job_id


def test_nothing_is_posted_for_a_user_whose_keys_were_revoked(bench):
    """Else a key that was revoked would go on running jobs for ever."""
    queue, schedules, keys = bench.queue(), Schedules(bench.database), Keys(bench.database)
    schedules.add(new_schedule(cron="* * * * *", user="operator"))  # by the printed link: has never had a key
    made = schedules.add(new_schedule(cron="* * * * *", user="eve"))
    key, _ = keys.add("eve", Role.RUN)

    def posted():
        bench.clock.now += 60
        users = [job.user for job in schedules.post_due(queue)]
        while (claim := queue.claim("h", ["gpu0"])) is not None:
            queue.ended(claim, JobStatus.COMPLETED)
        return users

    assert posted() == ["operator", "eve"]
    keys.revoke(key.key_id)
    keys.add("eve", Role.READ)
    assert posted() == ["operator"]
    assert schedules.get(made.schedule_id).detail == "its user has no valid key"
    keys.add("eve", Role.RUN)
    assert posted() == ["operator", "eve"]


def test_two_workers_post_once(bench):
    schedules = Schedules(bench.database)
    schedules.add(new_schedule())
    other = bench.again()
    bench.clock.now += 86400
    posted = [
        Schedules(database).post_due(Queue(database, bench.config.limits))
        for database in (bench.database, other)
    ]
    assert sorted(map(len, posted)) == [0, 1]


def test_schedules_are_removed_and_listed_by_user(bench):
    schedules = Schedules(bench.database)
    made = schedules.add(new_schedule())
    schedules.add(new_schedule(user="bob"))
    assert [found.user for found in schedules.list("ada")] == ["ada"]
    with pytest.raises(UsageError, match="that name"):
        schedules.add(new_schedule())
    schedules.remove(made.schedule_id, "ada")
    assert schedules.list("ada") == schedules.list("\x00") == ()
    assert schedules.get(made.schedule_id) is None
    for unknown in (made.schedule_id, "\x00", "%"):
        with pytest.raises(NoSuchJob):
            schedules.remove(unknown, "ada")


def test_a_user_has_so_many_schedules_at_most(bench):
    if bench.config.database_url:
        pytest.skip("the same code; SQLite is enough")
    schedules = Schedules(bench.database)
    for number in range(MOST_OF_A_USER):
        schedules.add(new_schedule(name=str(number)))
    with pytest.raises(UsageError, match="schedules already"):
        schedules.add(new_schedule(name="one more"))


@pytest.mark.parametrize(
    "cron",
    [
        "",
        "* * * *",
        "* * * * * *",  # seconds
        "60 * * * *",
        "@daily",
        "a b c d e",
        "0 0 30 2 *",
        "0 0 31 4 *",
        "9" * 5000 + " * * * *",
        "*/0 * * * *",
        "* * * * \x00",
        "٣ * * * *",
        "\ud800 * * * *",
    ],
)
def test_what_is_no_time_is_refused_with_an_example(cron):
    with pytest.raises(UsageError) as refused:
        next_time(cron, "UTC", 0.0)
    assert refused.value.hint


@pytest.mark.parametrize(
    "zone", ["", "Mars/Base", "../../etc/passwd", "/etc/localtime", "a\x00", "\ud800", "x" * 500]
)
def test_what_is_no_time_zone_is_refused(zone):
    with pytest.raises(UsageError, match="time zone"):
        next_time("0 0 * * *", zone, 0.0)


def berlin(text: str, fold: int = 0) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).timestamp()


def test_a_time_that_summer_time_leaves_out_comes_right_after_it():
    assert next_time("30 2 * * *", "Europe/Berlin", berlin("2026-03-29T01:00")) == berlin("2026-03-29T03:00")
    assert next_time("30 2 * * *", "Europe/Berlin", berlin("2026-03-29T03:00")) == berlin("2026-03-30T02:30")


def test_a_time_that_comes_twice_in_autumn_is_done_once():
    once = next_time("30 2 * * *", "Europe/Berlin", berlin("2026-10-25T01:00"))
    assert once == berlin("2026-10-25T02:30", fold=0)
    for minute in ("02:30", "02:45"):
        assert next_time("30 2 * * *", "Europe/Berlin", berlin(f"2026-10-25T{minute}")) == berlin(
            "2026-10-26T02:30"
        )
    # Before the time, but in the hour's second coming.
    assert next_time("30 2 * * *", "Europe/Berlin", berlin("2026-10-25T02:10", fold=1)) == berlin(
        "2026-10-26T02:30"
    )


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_each_next_time_is_later_whenever_one_asks(day):
    """One that isn't would be due again at once, without end."""
    start = berlin(f"{day}T00:00")
    for cron in ("30 2 * * *", "*/30 * * * *", "15 0-4 * * SUN", "0 */6 * * *"):
        for minutes in range(0, 6 * 60, 10):
            for more in (0, 37.5):
                after = start + 60 * minutes + more
                assert next_time(cron, "Europe/Berlin", after) > after
