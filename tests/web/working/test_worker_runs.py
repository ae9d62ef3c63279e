"""Real workers with real sweeps: kills, adoption, cancel, an orderly stop, and several hosts on PostgreSQL."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from results.records import RunStatus
from tests.command_line import PROGRAM, PROGRAMS, lines, wait_for
from tests.sweep_runs import models
from tests.web.job_kills import kill_jobs
from tests.web.working.conftest import require_nothing_left
from web.config import Limits, ServeConfig
from web.database.database import open_database
from web.database.trouble import DatabaseUnavailable
from web.jobs.job import Job, JobStatus, NewJob
from web.jobs.queue import Queue
from web.working.child import WorkerChild
from web.working.job_folder import AttemptFolder, find_sweep
from web.working.job_process import left_behind
from web.working.progress import JobReaders

pytestmark = pytest.mark.web
LONG_S = 120.0  # for what takes seconds on a machine that has nothing else to do


@dataclass
class Site:
    """A queue, and workers of several "hosts", each with a state folder and a name of its own."""

    folder: Path
    url: str | None = None
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.config = ServeConfig(
            results_dir=self.folder / "results",
            state_dir=self.folder / "state",
            database_url=self.url,
            limits=Limits(),
        )
        (self.folder / "tmp").mkdir()
        self.database = open_database(self.config)
        self.queue = Queue(self.database, self.config.limits)
        self.readers = JobReaders(self.config)
        (self.model,) = models(self.folder / "models", "m")

    @property
    def environment(self) -> dict[str, str]:
        password = {"BENCH_DATABASE_URL": self.url} if self.url else {}
        return {**os.environ, "TMPDIR": str(self.folder / "tmp"), **password}

    def command(self, host: str = "") -> list[str]:
        state = self.config.state_dir.with_name(f"state-{host}") if host else self.config.state_dir
        places = ("--results-dir", self.config.results_dir, "--state-dir", state)
        return [str(PROGRAM), "worker", *map(str, places)]

    def worker(self, host: str = "") -> subprocess.Popen[bytes]:
        command = self.command(host)
        if host:
            namespace = f"hostname {host}; exec {shlex.join(command)}"
            command = ["unshare", "--uts", "sh", "-c", namespace]
        with (self.folder / "worker.log").open("ab") as log:
            self.workers.append(
                subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment
                )
            )
        return self.workers[-1]

    def add(self, *options: object, samples: int = 3, **facts) -> Job:
        command = shlex.join(
            [sys.executable, str(PROGRAMS / "canonical_server.py"), *map(str, options), "--port"]
        )
        run = {
            "benchmark": "human_eval", "model": str(self.model), "server_command": command + " {port}",
            "sandbox": "process", "limit": samples, "parallel": 1,
        }  # fmt: skip
        manifest = json.dumps({"runs": [run | facts]})
        return self.queue.add(NewJob(user="ada", suite="human_eval", model_name="m", manifest=manifest))

    def log(self) -> str:
        """What all workers said."""
        return (self.folder / "worker.log").read_text()

    def now(self, job: Job) -> Job:
        found = self.queue.get(job.job_id)
        assert found is not None
        return found

    def until(self, job: Job, *statuses: JobStatus) -> Job:
        return wait_for(lambda: (now := self.now(job)).status in statuses and now, LONG_S)

    def until_answers(self, job: Job, count: int = 1, host: str = "") -> AttemptFolder:
        """Wait until that many completions are on disk."""
        wait_for(lambda: (self.readers.progress(job).samples_done or 0) >= count, LONG_S)
        state = self.config.state_dir.with_name(f"state-{host}") if host else self.config.state_dir
        return AttemptFolder.all_of(state / "jobs", job.job_id)[-1]

    def completions(self, job: Job) -> list[str]:
        sweep = find_sweep(self.config.results_dir, job.job_id)
        ((folder, record),) = sweep.runs(warn=print).values()
        assert record.status is RunStatus.SUCCEEDED
        return [line["task_id"] for line in lines(folder.completions)]

    def close(self) -> None:
        for worker in self.workers:
            worker.send_signal(signal.SIGTERM)
        for worker in self.workers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(LONG_S)
            worker.kill()
            worker.wait()
        self.database.close()
        for state in self.folder.glob("state*"):
            require_nothing_left(state / "jobs")


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.close()


def test_whoever_is_killed_every_completion_is_made_once(tmp_path):
    """The large one is `python -m tests.web.job_kills`."""
    found = kill_jobs(tmp_path, jobs=2, kills=5, samples=6, seed=3)
    assert found["problems"] == []
    assert found["jobs"] == {"completed": 2}
    assert found["completions"] == 12


def test_a_worker_stopped_in_order_interrupts_its_job_which_goes_on_at_the_next_start(site):
    worker = site.worker()
    job = site.add("--delay", 0.3, samples=6)
    folder = site.until_answers(job)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(LONG_S) == 0
    stopped = site.now(job)
    assert stopped.status is JobStatus.INTERRUPTED
    assert "goes on when a worker starts" in stopped.detail
    assert left_behind(folder) == []
    site.worker()
    done = site.until(job, *filter(lambda each: each.is_final, JobStatus))
    assert (done.status, done.attempt) == (JobStatus.COMPLETED, 1), done.detail
    assert done.sweep_id == find_sweep(site.config.results_dir, job.job_id).sweep_id
    assert sorted(site.completions(job)) == [f"HumanEval/{number}" for number in range(6)]
    assert done.running_s > 0


def test_a_cancelled_job_leaves_no_process_and_a_second_worker_here_is_refused(site):
    worker = site.worker()
    job = site.add("--delay", 1, samples=100)
    folder = site.until_answers(job)
    second = site.worker()
    assert len(left_behind(folder)) >= 3  # harness, server, script
    site.queue.cancel(job.job_id, "ann")
    done = site.until(job, JobStatus.CANCELLED)
    assert done.detail.startswith("cancelled by ann; 0 of 1 runs had ended")
    assert left_behind(folder) == []
    assert second.wait(LONG_S) == 6
    assert f"a worker of this host uses {site.config.state_dir} already" in site.log()
    assert worker.poll() is None
    retried = site.queue.retry(job.job_id, "ann")
    assert site.until_answers(retried, 2).attempt == 2
    assert site.now(job).sweep_id in {"", find_sweep(site.config.results_dir, job.job_id).sweep_id}
    site.queue.cancel(job.job_id, "ann")
    site.until(job, JobStatus.CANCELLED)


def test_a_job_whose_runs_fail_says_why(site):
    site.worker()
    job = site.add("--mode", "refuse")
    done = site.until(job, JobStatus.FAILED)
    assert done.detail.startswith("1 of 1 run failed: ")
    assert "cannot do that" in done.detail
    refused = site.add(limit="many")
    assert "limit" in site.until(refused, JobStatus.FAILED).detail


def test_serve_s_child_leaves_jobs_running_when_it_is_cut_off_and_ends_them_in_order(site):
    said: list[str] = []
    job = site.add("--delay", 1, samples=100)  # it lasts longer than all that follows
    script = f"exec {shlex.join(site.command())} 2>> {site.folder / 'worker.log'}"
    with WorkerChild(["sh", "-c", script], say=said.append, env=site.environment) as child:
        folder = site.until_answers(job)
        sweep = folder.process()
        first = wait_for(lambda: child.pid)
        os.kill(first, signal.SIGKILL)
        second = wait_for(lambda: child.pid not in {None, first} and child.pid, LONG_S)
        child._process.stdin.close()  # as when `serve` is killed
        wait_for(lambda: child.pid not in {None, second} and child.pid, LONG_S)
        assert folder.process().pid == sweep.pid
        assert len(said) == 2
        wait_for(lambda: site.log().count("worker on") == 3, LONG_S)
    assert child.state == "stopped"
    assert site.now(job).status is JobStatus.INTERRUPTED
    assert left_behind(folder) == []


def test_on_postgresql_another_host_goes_on_when_one_is_lost(tmp_path, postgres):
    """The first host loses its worker for good, and the lease runs out; the fence ends the sweep before that, see
    test_fence.py.
    """
    if os.geteuid() != 0:
        pytest.skip("only root may give a process another host's name")
    site = Site(tmp_path, postgres.new_database())
    try:
        first = site.worker("one")
        job = site.add("--delay", 0.5, samples=10)
        folder = site.until_answers(job, 2, "one")
        first.kill()
        first.wait()
        sweep = folder.process()
        assert sweep is not None
        assert fences_of(folder)
        os.kill(sweep.pid, signal.SIGKILL)
        with site.database.decide() as connection:
            connection.exec_driver_sql("UPDATE jobs SET lease_until = 0")
        site.worker("two")
        done = site.until(job, JobStatus.COMPLETED, JobStatus.FAILED)
        assert (done.status, done.host[:4], done.attempt) == (JobStatus.COMPLETED, "two-", 2), done.detail
        assert len(set(site.completions(job))) == 10
        wait_for(lambda: not fences_of(folder), LONG_S)
    finally:
        site.close()


def test_a_job_goes_on_while_postgresql_is_away(tmp_path, postgres):
    site = Site(tmp_path, postgres.new_database())
    try:
        worker = site.worker()
        job = site.add("--delay", 0.3, samples=8)
        folder = site.until_answers(job)
        pid = folder.process().pid
        postgres.stop(signal.SIGQUIT)
        try:
            site.until_answers(job, 8)
            wait_for(lambda: "it is tried again" in site.log(), LONG_S)
        finally:
            postgres.start()
        done = wait_for(lambda: ended(site, job), LONG_S)
        assert done.status is JobStatus.COMPLETED
        assert worker.poll() is None
        assert folder.read_starts().count == 1, f"{pid} was started again"
    finally:
        site.close()


def ended(site: Site, job: Job) -> Job | None:
    """The job, if it has ended and the database says so."""
    try:
        found = site.now(job)
    except DatabaseUnavailable:
        return None
    return found if found.status.is_final else None


def fences_of(folder: AttemptFolder) -> list[Path]:
    """The fences that watch it."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if os.fsencode(folder.lock) in words and any(b"fence" in word for word in words):
                found.append(path)
    return found
