"""A queue with jobs, and workers for them. No test leaves a process of a job behind."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from tests.command_line import PROGRAMS, wait_for
from web.config import Limits, ServeConfig
from web.database.database import open_database
from web.database.tables import JOBS
from web.jobs.job import Job, JobStatus, NewJob
from web.jobs.queue import Queue
from web.working import job_process, running_job
from web.working.devices import CPU, Devices
from web.working.job_folder import AttemptFolder
from web.working.job_process import left_behind
from web.working.running_job import JobEnd, RunningJob

if TYPE_CHECKING:
    from pathlib import Path

HOST = "here"


@dataclass
class Place:
    """A queue on SQLite, and its folders."""

    config: ServeConfig
    queue: Queue
    started: list[RunningJob] = field(default_factory=list)

    def add(self, odd: str = "sleep", **facts) -> Job:
        """A job for odd_harness.py."""
        manifest = facts.pop("manifest", json.dumps({"odd": odd}))
        return self.queue.add(
            NewJob(**{"user": "ada", "suite": "s", "model_name": "m", "manifest": manifest} | facts)
        )

    def ended(self, *, ago_s: float, status=JobStatus.COMPLETED, attempts: int = 1) -> AttemptFolder:
        """The last folder of a job that ended so long ago, or came to this status."""
        job, when = self.add(), time.time() - ago_s
        with self.queue.database.decide() as connection:
            connection.execute(
                update(JOBS)
                .where(JOBS.c.job_id == job.job_id)
                .values(status=status, completed_at=when if status.is_final else None, attempt=attempts)
            )
        for attempt in range(1, attempts + 1):
            folder = AttemptFolder.of(self.config.jobs_dir, job.job_id, attempt)
            folder.make("{}")
            folder.log.write_text("said\n")
        os.utime(folder.path.parent, (when, when))
        return folder

    def running(self, odd: str = "sleep", *, begin: bool = True, **facts) -> RunningJob:
        """A claimed job, begun."""
        self.add(odd, **facts)
        claim = self.queue.claim(HOST, (CPU,))
        assert claim is not None
        return self.begun(claim, begin=begin)

    def begun(self, claim, *, begin: bool = True) -> RunningJob:
        job = RunningJob(self.config, claim, Devices(()), {})
        self.started.append(job)
        if begin:
            job.begin()
        return job

    def up(self, job: RunningJob) -> RunningJob:
        """Wait until its process does what it shall."""
        wait_for((job.folder.path / "up").exists)
        return job

    def end(self, job: RunningJob, seconds: float = 60) -> JobEnd:
        """Look after it until it ends."""
        return wait_for(job.tick, seconds)

    def starts(self, job: RunningJob) -> list[str]:
        """What it was started with, each time."""
        path = job.folder.path / "started"
        return [line.partition(" ")[2] for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def place(tmp_path: Path, monkeypatch):
    """Its jobs are odd: see odd_harness.py."""
    monkeypatch.setattr(job_process, "PROGRAM", PROGRAMS / "odd_harness.py")
    monkeypatch.setattr(running_job, "REST_S", 0.01)
    results = tmp_path / "results"
    results.mkdir()
    config = ServeConfig(results_dir=results, state_dir=tmp_path / "state", limits=Limits())
    database = open_database(config)
    made = Place(config, Queue(database, config.limits))
    yield made
    database.close()
    for job in made.started:
        job.close()
    require_nothing_left(config.jobs_dir)


def require_nothing_left(jobs_dir: Path) -> None:
    """Jobs have an environment of their own, in which the mark of the tests' processes is missing."""
    folders = [AttemptFolder(path) for path in jobs_dir.glob("*/attempt-*")]
    left = [pid for folder in folders for pid in left_behind(folder)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left
