"""A worker among its jobs: what it starts when, what it ends, and what it leaves for the next one."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

from results.errors import ResultsError
from tests.command_line import wait_for
from web.config import ServeConfig
from web.database.database import open_database
from web.database.trouble import DatabaseUnavailable
from web.jobs.job import Job, JobStatus
from web.jobs.queue import JobQuery, Queue
from web.jobs.schedules import NewSchedule, Schedules
from web.working import worker as worker_module
from web.working.beats import Beats
from web.working.control import STOP, Control
from web.working.devices import Devices
from web.working.job_folder import AttemptFolder
from web.working.worker import Worker

if TYPE_CHECKING:
    from tests.web.working.conftest import Place

LONG_S = 60.0


def a_schedule() -> NewSchedule:
    return NewSchedule(
        user="ann",
        name="nightly",
        cron="0 3 * * *",
        suite="s",
        model_name="m",
        manifest='{"odd": "sleep"}',
    )


class Hand:
    """Workers of one place, each in a thread, with a pipe as `serve` holds it."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.said: list[str] = []
        self._pipe = -1
        self._thread: threading.Thread | None = None
        self.errors: list[BaseException] = []

    def start(self, **facts) -> None:
        read, self._pipe = os.pipe()
        queue = facts.get("queue", self.place.queue)

        def work() -> None:
            control = Control(read)
            worker = Worker(
                self.place.config,
                queue,
                Schedules(queue.database),
                Devices(()),
                host="here",
                say=self.said.append,
            )
            try:
                worker.run(control)
            except BaseException as error:  # noqa: BLE001 - for the test
                self.errors.append(error)
            finally:
                control.close()
                os.close(read)

        self._thread = threading.Thread(target=work)
        self._thread.start()

    def end(self, *, leave: bool = False) -> None:
        if self._thread is not None:
            if not leave:
                with contextlib.suppress(BrokenPipeError):
                    os.write(self._pipe, STOP)
            os.close(self._pipe)
            self._thread.join(LONG_S)
            assert not self._thread.is_alive()
            self._thread = None

    def folder(self, job: Job, attempt: int = 1) -> AttemptFolder:
        return AttemptFolder.of(self.place.config.jobs_dir, job.job_id, attempt)

    def up(self, job: Job) -> AttemptFolder:
        """Wait until its process does what it shall."""
        folder = self.folder(job)
        wait_for((folder.path / "up").exists, LONG_S)
        return folder

    def status(self, job: Job) -> JobStatus:
        return self.place.queue.get(job.job_id).status

    def until(self, job: Job, status: JobStatus) -> Job:
        wait_for(lambda: self.status(job) is status, LONG_S)
        return self.place.queue.get(job.job_id)


@pytest.fixture
def hand(place, monkeypatch):
    made, jobs = Hand(place), []
    real = worker_module.RunningJob.begin
    monkeypatch.setattr(worker_module.RunningJob, "begin", lambda job: (jobs.append(job), real(job)))
    yield made
    made.end()
    for job in jobs:  # in place of the system, which reaps what a killed worker had started
        if job._started is not None:
            job._started.wait(LONG_S)
    assert made.errors == []


def test_one_job_a_device_others_beside_it_and_the_next_when_one_is_cancelled(place, hand):
    hand.start()
    first, second = place.add(), place.add()
    beside = place.add(needs_device=False)
    hand.up(first)
    hand.up(beside)
    assert hand.status(second) is JobStatus.PENDING
    assert place.queue.get(first.job_id).device == "cpu"
    place.queue.cancel(first.job_id, "ann")
    assert hand.until(first, JobStatus.CANCELLED).detail == "cancelled by ann; nothing had begun"
    hand.up(second)
    hand.end()
    for job in (second, beside):
        assert hand.status(job) is JobStatus.INTERRUPTED
        assert not hand.folder(job).is_running()


def test_cut_off_it_leaves_its_job_running_and_the_next_worker_takes_it_over(place, hand):
    hand.start()
    job = place.add()
    folder = hand.up(job)
    pid = folder.process().pid
    hand.end(leave=True)
    assert folder.process().pid == pid
    assert hand.status(job) is JobStatus.RUNNING
    hand.start()
    wait_for(lambda: sum("worker on here" in each for each in hand.said) == 2, LONG_S)
    assert folder.process().pid == pid
    place.queue.cancel(job.job_id, "ann")
    hand.until(job, JobStatus.CANCELLED)


def test_what_runs_here_without_a_claim_is_ended_at_the_start(place, hand):
    """Another host has taken the job, or somebody has cancelled it, while no worker was here."""
    hand.start()
    job = place.add()
    folder = hand.up(job)
    hand.end(leave=True)
    (claim,) = place.queue.mine("here")
    place.queue.ended(claim, JobStatus.CANCELLED)
    hand.start()
    wait_for(lambda: not folder.is_running(), LONG_S)
    assert any("is not this host's any more" in each for each in hand.said)
    assert hand.status(job) is JobStatus.CANCELLED


def test_a_lost_claim_ends_the_process_and_leaves_the_job_to_the_other(place, hand, monkeypatch):
    monkeypatch.setattr(worker_module, "BEAT_S", 0.05)
    hand.start()
    job = place.add()
    folder = hand.up(job)
    (claim,) = place.queue.mine("here")  # as another worker would
    wait_for(lambda: not folder.is_running(), LONG_S)
    wait_for(lambda: any(job.job_id in each for each in hand.said[1:]), LONG_S)
    assert hand.status(job) is JobStatus.RUNNING
    place.queue.ended(claim, JobStatus.CANCELLED)


def test_a_bug_in_one_job_fails_that_job_only(place, hand, monkeypatch, capsys):
    real = worker_module.RunningJob._look

    def look(job):
        if "bad" in job.claim.job.suite:
            raise RuntimeError("a bug")
        real(job)

    monkeypatch.setattr(worker_module.RunningJob, "_look", look)
    hand.start()
    bad = place.add(suite="bad", needs_device=False)
    good = place.add(suite="good")
    assert "the worker failed on it: RuntimeError: a bug" in hand.until(bad, JobStatus.FAILED).detail
    hand.up(good)
    assert "RuntimeError: a bug" in capsys.readouterr().err


@pytest.fixture
def moved(place, tmp_path):
    """A clock that the test moves, by which the place's queue goes."""
    now = [1_800_000_000.0]
    config = ServeConfig(results_dir=place.config.results_dir, state_dir=tmp_path / "other")
    database = open_database(config, clock=lambda: now[0])
    place.config, place.queue = config, Queue(database, config.limits)
    yield now
    database.close()


def test_after_its_clock_was_set_two_jobs_dont_run_on_one_device(place, moved):
    """Its own claim would end the lease of the job that it has."""
    worker = Worker(
        place.config, place.queue, Schedules(place.queue.database), Devices(()), host="here", say=print
    )
    worker._beats = Beats(wall=lambda: moved[0])
    first, second = place.add(), place.add()
    try:
        worker._claim()
        moved[0] += 3600
        worker._claim()
        assert place.queue.get(first.job_id).status is JobStatus.RUNNING
        assert place.queue.get(second.job_id).status is JobStatus.PENDING
    finally:
        worker._shut_down()


def test_that_a_job_started_is_said_again_if_the_database_was_away(place, hand, monkeypatch):
    monkeypatch.setattr(worker_module, "BEAT_S", 0.05)
    real, tried = place.queue.started, []

    def started(claim):
        tried.append(claim)
        if len(tried) == 1:
            raise DatabaseUnavailable("away")
        real(claim)

    monkeypatch.setattr(place.queue, "started", started)
    hand.start()
    job = place.add()
    wait_for(lambda: place.queue.get(job.job_id).started_at is not None, LONG_S)
    hand.up(job)
    assert len(tried) == 2


def test_it_posts_what_is_due(place, hand, moved):
    Schedules(place.queue.database).add(a_schedule())
    moved[0] += 3 * 86400
    try:
        hand.start()
        (job,) = wait_for(lambda: place.queue.jobs(JobQuery()).jobs, LONG_S)
        hand.up(job)
    finally:
        hand.end()


def test_it_wakes_when_the_next_schedule_is_due(place, moved):
    """And not some seconds later, when it looks next."""
    schedules = Schedules(place.queue.database)
    worker = Worker(place.config, place.queue, schedules, Devices(()), host="here", say=print)

    before = time.monotonic()
    assert not worker._post_due()
    assert worker._post_at - before >= worker_module.SCHEDULES_S
    due_at = schedules.add(a_schedule()).next_at
    moved[0] = due_at - 3.0
    assert not worker._post_due()
    assert worker._post_at - time.monotonic() <= 3.0
    moved[0] = due_at
    assert worker._post_due()


def test_a_second_worker_of_the_host_is_refused(place, hand, monkeypatch):
    monkeypatch.setattr(worker_module, "LOCK_S", 0.1)
    hand.start()
    wait_for(lambda: hand.said, LONG_S)
    other = Worker(
        place.config, place.queue, Schedules(place.queue.database), Devices(()), host="here", say=print
    )
    with pytest.raises(ResultsError, match=r"uses .+ already"):
        other.run(Control(None))


def test_a_worker_removes_the_folders_of_jobs_that_ended_long_ago(hand):
    old, newer = (hand.place.ended(ago_s=days * 86400.0) for days in (91, 89))
    hand.start()
    wait_for(lambda: "removed the folders of 1 job, ended 90 days ago or more" in hand.said, LONG_S)
    assert not old.path.exists()
    assert newer.path.exists()
