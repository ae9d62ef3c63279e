"""One job in a worker's hands: started once, found again, ended with all that it started, given up with a reason."""

from __future__ import annotations

import dataclasses
import os
import signal
import time

import pytest

from results.records import ErrorRecord, RunStatus
from tests.command_line import wait_for
from tests.web.working.test_job_outcome import begin as begin_sweep_of
from tests.web.working.test_job_outcome import run
from web.config import Limits
from web.jobs.job import JobStatus, told_detail
from web.working import job_process, running_job
from web.working.job_process import left_behind, start_sweep
from web.working.progress import waits_for_device
from web.working.running_job import FRUITLESS_STARTS, RunningJob, Why


def kill(job: RunningJob) -> None:
    """As the kernel does when memory runs out."""
    os.kill(wait_for(job.folder.process).pid, signal.SIGKILL)
    wait_for(lambda: not job.folder.is_running())


def test_a_job_that_dies_again_and_again_without_progress_has_failed_with_its_last_words(place):
    job = place.running("die")
    end = place.end(job)
    assert end.status is JobStatus.FAILED
    assert told_detail(end.detail, with_log=False) == "started 5 times, the last 5 without progress"
    assert told_detail(end.detail, with_log=True).startswith("it had a bad day")
    assert len(place.starts(job)) == FRUITLESS_STARTS


def test_what_refuses_twice_with_the_same_words_is_not_tried_further(place):
    job = place.running("refuse")
    end = place.end(job)
    assert end.status is JobStatus.FAILED
    assert told_detail(end.detail, with_log=True).startswith(
        "this can't work (something else) (started 2 times"
    )
    assert len(place.starts(job)) == 2


def test_a_killed_harness_is_started_again_and_its_exit_code_says_nothing(place):
    job = place.up(place.running())
    kill(job)
    wait_for(lambda: job.tick() or len(place.starts(job)) == 2)
    assert job.tick() is None
    job.stop(Why.CANCELLED)
    assert place.end(job).status is JobStatus.CANCELLED


def test_the_next_worker_adopts_a_living_job_and_starts_nothing(place):
    first = place.up(place.running())
    pid = first.folder.process().pid
    first.close()
    (claim,) = place.queue.mine("here")
    second = place.begun(claim)
    assert second.tick() is None
    assert second.folder.process().pid == pid
    assert len(place.starts(second)) == 1
    second.stop(Why.SHUT_DOWN)
    end = place.end(second)
    assert end.status is JobStatus.INTERRUPTED
    assert "goes on" in end.detail


@pytest.mark.parametrize("point", ["make", "write_starts", "start_sweep"])
def test_a_worker_killed_while_it_starts_a_job_starts_it_once(place, monkeypatch, point):
    """Killed right after each of the steps: the next worker goes on, and one process runs."""

    class Killed(BaseException):
        pass

    made = []

    def killed_after(real):
        def call(*words, **facts):
            made.append(real(*words, **facts))
            raise Killed

        return call

    owner = running_job if point == "start_sweep" else running_job.AttemptFolder
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(owner, point, killed_after(getattr(owner, point)))
        place.running()
    (claim,) = place.queue.mine("here")
    job = place.begun(claim)
    wait_for(lambda: job.tick() or (job.folder.path / "up").exists())
    assert len(place.starts(job)) == 1
    assert job.folder.read_starts().fruitless == 0
    job.stop(Why.SHUT_DOWN)
    place.end(job)
    if made[0] is not None:
        made[0].wait()  # in place of the system, which reaps what a killed worker had started


def test_cancel_asks_then_kills_with_all_that_left_its_session(place, monkeypatch):
    monkeypatch.setattr(running_job, "KILL_AFTER_S", 0.3)
    monkeypatch.setattr(running_job, "LEFT_BEHIND_S", 0.3)
    job = place.up(place.running("stubborn"))
    wait_for(lambda: len(left_behind(job.folder)) == 2)
    job.cancel("cancelled by ann")
    end = place.end(job)
    assert end.status is JobStatus.CANCELLED
    assert end.detail == "cancelled by ann; nothing had begun"
    assert left_behind(job.folder) == []


def test_cancel_before_its_process_is_known_reaches_it(place):
    job = place.running()
    job.stop(Why.CANCELLED)
    assert place.end(job).status is JobStatus.CANCELLED


def test_a_job_to_be_cancelled_that_doesnt_run_isnt_started(place):
    added = place.add()
    place.queue.claim("here", ("cpu",))
    place.queue.cancel(added.job_id, "ann")
    (claim,) = place.queue.mine("here")
    job = place.begun(claim)
    assert place.end(job).detail == "cancelled by ann; nothing had begun"
    assert place.starts(job) == []


def test_a_lost_claim_ends_the_process_and_says_nothing(place):
    job = place.up(place.running())
    job.stop(Why.CANCELLED)
    job.stop(Why.LOST)
    assert place.end(job).status is None


def test_the_limit_counts_running_but_not_waiting_for_a_device(place):
    place.config = dataclasses.replace(place.config, limits=Limits(job_s=0.2))
    waiting = place.up(place.running("wait"))
    wait_for(lambda: waits_for_device(waiting.folder))
    before = waiting.running_s
    for _ in range(3):
        time.sleep(0.1)
        assert waiting.tick() is None
    assert (waiting.running_s, waiting.stopping) == (before, None)
    waiting.stop(Why.SHUT_DOWN)
    place.end(waiting)
    assert waiting.folder.read_starts().running_s == before


@pytest.mark.parametrize("resumes", [True, False])
def test_another_host_counts_on_only_where_it_goes_on_with_the_sweep(place, resumes):
    """Else each host would give a job all of its time again."""
    added = place.add()
    if resumes:
        begin_sweep_of(place.config, "a", job_id=added.job_id)
    claim = place.queue.claim("there", ("cpu",))
    place.queue.beat(claim, running_s=5000.0)
    place.queue.ended(claim, JobStatus.INTERRUPTED)
    with place.queue.database.decide() as connection:
        connection.exec_driver_sql("UPDATE jobs SET kept_until = NULL")
    job = place.up(place.begun(place.queue.claim("here", ("cpu",))))
    assert job.claim.job.attempt == 2
    assert (job.running_s >= 5000) is resumes
    job.stop(Why.SHUT_DOWN)
    place.end(job)


def test_a_job_over_its_limit_has_failed_and_says_so(place):
    place.config = dataclasses.replace(place.config, limits=Limits(job_s=0.05))
    job = place.up(place.running())
    end = place.end(job)
    assert end.status is JobStatus.FAILED
    assert "the limit for a job" in end.detail


def test_its_time_goes_on_while_no_worker_was_there(place):
    now = [1000.0]
    first = place.running(begin=False)
    first._clock = lambda: now[0]
    first.begin()
    place.up(first)
    now[0] += 500
    (claim,) = place.queue.mine("here")
    second = place.begun(claim, begin=False)
    second._clock = lambda: now[0]
    second.begin()
    assert second.running_s >= 500
    second.stop(Why.SHUT_DOWN)
    place.end(second)


def test_its_time_goes_by_the_clock_that_stands_still_in_sleep(place):
    """Neither a night's sleep nor a clock that was set may use up the time that a job may run."""
    job = place.up(place.running())
    assert 0 < job.folder.read_starts().counted_s <= time.clock_gettime(time.CLOCK_MONOTONIC)
    job.stop(Why.SHUT_DOWN)
    place.end(job)


def test_trouble_with_folders_is_told(place):
    job = place.running(begin=False)
    place.config.results_dir.rmdir()
    job.begin()
    assert "results folder" in place.end(job).detail
    place.queue.ended(job.claim, JobStatus.FAILED)
    place.config.results_dir.mkdir()

    other = place.running(begin=False)
    other.folder.log.mkdir(parents=True)
    other.begin()
    end = place.end(other)
    assert end.status is JobStatus.FAILED
    assert f"cannot write {other.folder.log}" in end.detail
    place.queue.ended(other.claim, JobStatus.FAILED)

    place.config.jobs_dir.joinpath("x").mkdir()
    last = place.running(begin=False)
    last.folder.path.parent.write_text("a file")
    last.begin()
    assert f"cannot make {last.folder.path}" in place.end(last).detail


def test_a_full_disk_is_told(place, monkeypatch):
    """Whatever is written first: here, how often it was started."""

    def full(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("web.working.job_folder.replace_file", full)
    end = place.end(place.running())
    assert end.status is JobStatus.FAILED
    assert "No space left on device" in end.detail
    assert "free some space" in end.detail


def test_the_job_has_the_lock_the_mark_and_only_allowed_variables(place, monkeypatch):
    monkeypatch.setenv("BENCH_DATABASE_URL", "postgresql://secret")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    job = place.up(place.running())
    from pathlib import Path

    names = {
        entry.partition(b"=")[0].decode()
        for entry in Path(f"/proc/{job.folder.process().pid}/environ").read_bytes().split(b"\0")
    }
    assert "BENCH_JOB" in names
    assert not names & {"BENCH_DATABASE_URL", "OPENAI_API_KEY"}
    job.stop(Why.CANCELLED)
    place.end(job)


def test_a_retry_that_ends_early_has_not_failed_for_the_reason_of_the_try_before_it(place):
    """The old record is all that there is until the first new one: it says nothing about the retry."""
    added = place.add()
    sweep = begin_sweep_of(place.config, "a", job_id=added.job_id)
    error = ErrorRecord(kind="server", message="no luck")
    run(place.config, sweep, "a", RunStatus.FAILED, error=error)
    claim = place.queue.claim("here", ("cpu",))
    place.queue.ended(claim, JobStatus.FAILED, "no luck")

    def retried():
        place.queue.retry(added.job_id, "ann")
        claim = place.queue.claim("here", ("cpu",))
        place.queue.started(claim)
        return place.up(place.begun(claim))

    job = retried()
    job.cancel("cancelled by ann")
    end = place.end(job)
    assert (end.status, end.detail) == (JobStatus.CANCELLED, "cancelled by ann; 0 of 1 runs had ended")
    place.queue.ended(job.claim, end.status, end.detail)

    job = retried()
    kill(job)
    wait_for(lambda: job.tick() or len(place.starts(job)) == 2)
    assert job.tick() is None
    job.stop(Why.SHUT_DOWN)
    end = place.end(job)
    assert end.status is JobStatus.INTERRUPTED
    place.queue.ended(job.claim, end.status, end.detail)

    place.queue.retry(added.job_id, "ann")  # ended before its process ever lived
    claim = place.queue.claim("here", ("cpu",))
    place.queue.cancel(added.job_id, "ann")
    (claim,) = place.queue.mine("here")
    assert place.end(place.begun(claim)).status is JobStatus.CANCELLED


def test_starting_twice_is_refused_by_the_lock_itself(place):
    from processes.detached import AlreadyRunning

    job = place.up(place.running())
    with pytest.raises(AlreadyRunning):
        start_sweep(
            job.folder,
            results_dir=place.config.results_dir,
            manifest="{}",
            sweep=None,
            retry_failed=False,
            device={},
        )
    assert job_process.ask_to_end(job.folder)
    job.stop(Why.CANCELLED)
    place.end(job)
