"""The queue's rules, whatever is done in whatever order: checked against a model that only knows the rules."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule
from sqlalchemy import event

from tests.web.jobs.conftest import Clock, new_job
from web.config import Limits, ServeConfig
from web.database.database import open_database
from web.jobs.claiming import ELSEWHERE_AFTER_S, LEASE_S
from web.jobs.job import JobStatus, Priority
from web.jobs.queue import JobQuery, Queue
from web.jobs.refusals import ClaimLost, QueueFull, WrongStatus

PLACES, AT_ONCE = 3, 2
USERS, HOSTS, DEVICES = ("ada", "bob"), ("a", "b"), ("gpu0", "gpu1")
ACTIVE = {JobStatus.RUNNING, JobStatus.CANCELLING}
WAITING = {JobStatus.PENDING, JobStatus.INTERRUPTED}


class QueueRules(RuleBasedStateMachine):
    """`newest`: the token of each job's newest claim, as the workers know it. `ended`: outcomes that a worker gave."""

    jobs = Bundle("jobs")
    claims = Bundle("claims")
    new_file = b""

    @initialize()
    def opens(self):
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock()
        config = ServeConfig(results_dir=Path(self.folder.name), state_dir=Path(self.folder.name))
        if QueueRules.new_file:  # making it takes longer than the rest
            (config.state_dir / "serve.sqlite3").write_bytes(QueueRules.new_file)
        self.database = open_database(config, clock=self.clock)
        event.listen(self.database.engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous = OFF"))
        self.database.close()
        QueueRules.new_file = QueueRules.new_file or (config.state_dir / "serve.sqlite3").read_bytes()
        self.queue = Queue(self.database, Limits(queued_per_user=PLACES, jobs_at_once=AT_ONCE))
        self.outcomes = {}  # by job and attempt: what a worker said at its end
        self.lost = set()  # tokens that were refused once

    def teardown(self):
        if hasattr(self, "database"):
            self.database.close()
            self.folder.cleanup()

    def waiting(self, user):
        return self.queue.jobs(JobQuery(user=user, statuses=tuple(WAITING))).total

    @rule(target=jobs, user=st.sampled_from(USERS), priority=st.sampled_from(Priority), device=st.booleans())
    def adds(self, user, priority, device):
        full = self.waiting(user) >= PLACES
        try:
            job = self.queue.add(new_job(user=user, priority=priority, needs_device=device))
        except QueueFull as refused:
            assert full
            assert refused.retry_after_s > 0  # noqa: PT017 - it may be refused or not
            return multiple()
        assert not full
        return job.job_id

    @rule(target=claims, host=st.sampled_from(HOSTS))
    def claims_one(self, host):
        before = {job.job_id: job for job in self.queue.jobs(JobQuery(limit=1000)).jobs}
        claim = self.queue.claim(host, DEVICES)
        if claim is None:
            return multiple()
        job = claim.job
        assert (job.status, job.host) == (JobStatus.RUNNING, host)
        assert bool(job.device) == job.needs_device
        was = before[job.job_id]
        moved = was.status is not JobStatus.PENDING and was.host != host
        assert job.attempt == was.attempt + moved
        return claim

    @rule(
        claim=claims, status=st.sampled_from([JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.INTERRUPTED])
    )
    def ends(self, claim, status):
        before = self.queue.get(claim.job.job_id)
        try:
            job = self.queue.ended(claim, status)
        except ClaimLost:
            assert self.queue.get(claim.job.job_id) == before
            self.lost.add((claim.job.job_id, claim.token))
            return
        assert (claim.job.job_id, claim.token) not in self.lost  # what was lost once is lost for ever
        assert before.status in ACTIVE
        self.lost.add((claim.job.job_id, claim.token))
        if job.status.is_final:
            assert (job.job_id, job.attempt) not in self.outcomes
            self.outcomes[job.job_id, job.attempt] = job.status

    @rule(claim=claims)
    def beats(self, claim):
        try:
            status = self.queue.beat(claim, running_s=1.0)
        except ClaimLost:
            self.lost.add((claim.job.job_id, claim.token))
            return
        assert (claim.job.job_id, claim.token) not in self.lost
        assert status in ACTIVE

    @rule(claim=claims)
    def starts(self, claim):
        before = self.queue.get(claim.job.job_id)
        try:
            self.queue.started(claim)
        except ClaimLost:
            assert self.queue.get(claim.job.job_id) == before

    @rule(target=claims, host=st.sampled_from(HOSTS))
    def replaces_the_worker(self, host):
        return multiple(*self.queue.mine(host))

    @rule(job_id=jobs)
    def cancels(self, job_id):
        before = self.queue.get(job_id)
        try:
            job = self.queue.cancel(job_id, "ada")
        except WrongStatus:
            assert before.status in {JobStatus.COMPLETED, JobStatus.FAILED}
            return
        assert job.status is (JobStatus.CANCELLING if before.status in ACTIVE else JobStatus.CANCELLED)

    @rule(job_id=jobs)
    def retries(self, job_id):
        before = self.queue.get(job_id)
        try:
            job = self.queue.retry(job_id, "ada")
        except WrongStatus:
            assert before.status in ACTIVE | {JobStatus.PENDING, JobStatus.COMPLETED}
        except QueueFull:
            assert self.waiting(before.user) >= PLACES
        else:
            assert (job.status, job.attempt) == (JobStatus.PENDING, before.attempt + 1)

    @rule(seconds=st.sampled_from([1.0, LEASE_S / 2, LEASE_S + 1, ELSEWHERE_AFTER_S + 1]))
    def waits(self, seconds):
        self.clock.now += seconds

    @invariant()
    def holds(self):
        if not hasattr(self, "queue"):
            return
        jobs = self.queue.jobs(JobQuery(limit=1000)).jobs
        active = [job for job in jobs if job.status in ACTIVE]
        assert len(active) <= AT_ONCE
        devices = [(job.host, job.device) for job in active if job.device]
        assert len(devices) == len(set(devices))
        for user in USERS:
            # What ran and was interrupted waits too, and is never refused.
            assert (
                sum(job.user == user and job.status is JobStatus.PENDING for job in jobs) <= PLACES + AT_ONCE
            )
        for job in jobs:
            assert (job.completed_at is not None) == job.status.is_final
            assert (job.status in ACTIVE) or not job.device
            if job.status.is_final and (job.job_id, job.attempt) in self.outcomes:
                assert job.status is self.outcomes[job.job_id, job.attempt]


TestQueueRules = QueueRules.TestCase
TestQueueRules.settings = settings(
    max_examples=int(os.environ.get("QUEUE_EXAMPLES", "4")), stateful_step_count=30, deadline=None
)
