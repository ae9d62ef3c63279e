"""The queue's side for workers: which job starts next, who has it, and for how long.

A claim is a lease: its worker says every BEAT_S that it is there. If it isn't heard from for LEASE_S, the job is
interrupted, and any worker may claim it. Each claim has a token, one more than the one before it; a worker with an
older one can change nothing, however late it wakes up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, or_, select, update

from web.database.tables import JOBS
from web.jobs.job import Job, JobStatus
from web.jobs.refusals import ClaimLost
from web.jobs.rows import ACTIVE, WAITING, find_row, job_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Select
    from sqlalchemy.engine import Connection, Row

    from web.config import Limits
    from web.database.database import Database

LEASE_S = 60.0
BEAT_S = 15.0  # how often a worker says that it is there
ELSEWHERE_AFTER_S = (
    120.0  # how long a job that was stopped cleanly waits for its own host, which can resume it
)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a worker has: a job, on this host and device (job.device; "" if it needs none), by the token."""

    job: Job
    host: str
    token: int


@dataclass(frozen=True, kw_only=True)
class Held:
    """A job that is claimed on a host. ran_out: whether its worker wasn't heard from for LEASE_S."""

    job: Job
    token: int
    ran_out: bool


class Claims:
    """See `web.jobs.queue.Queue`."""

    def __init__(self, database: Database, limits: Limits) -> None:
        self.database = database
        self.limits = limits

    def claim(self, host: str, devices: Sequence[str]) -> Claim | None:
        """The next job for a worker on this host, or None: nothing waits, all places are taken, or no device is free.

        devices: all that the host offers, also those in use. The job's attempt is one more if another host had it
        before: begin it anew, with running_s 0, unless you can go on with its sweep or its attempt (`use_attempt`).
        A worker calls `beat` for the jobs that it has before it claims: a claim also ends the leases that ran out.
        Cheap if there is nothing to do; call it when the bell rings, and every few seconds.
        """
        with self.database.read() as connection:
            now = self.database.now(connection)
            if not _ran_out(connection, now) and self._next(connection, host, devices, now) is None:
                return None
        with self.database.decide() as connection:
            now = self.database.now(connection)
            self._end_leases(connection, now)
            found = self._next(connection, host, devices, now)
            if found is None:
                return None
            row, device = found
            moved = row.status == JobStatus.INTERRUPTED and row.host not in {"", host}
            self._set(
                connection,
                row,
                status=JobStatus.RUNNING,
                host=host,
                device=device,
                attempt=row.attempt + moved,
                token=row.token + 1,
                lease_until=now + LEASE_S,
                kept_until=None,
                detail="",
            )
            return _claim_of(connection, row.job_id)

    def mine(self, host: str) -> tuple[Claim, ...]:
        """Take all running and cancelling jobs of this host, whose worker is dead as you know: you hold the lock that
        it held. Its claims are void from now on. Their processes may still run: look at the locks of their folders.
        """
        if not self.held(host):
            return ()
        with self.database.decide() as connection:
            now = self.database.now(connection)
            rows = connection.execute(_on(host)).all()
            for row in rows:
                self._set(connection, row, token=row.token + 1, lease_until=now + LEASE_S)
            return tuple(_claim_of(connection, row.job_id) for row in rows)

    def beat(self, claim: Claim, *, running_s: float | None = None) -> JobStatus:
        """Say that its worker is there, every BEAT_S. running_s: the job's time so far, without waiting for a device.

        Returns RUNNING, or CANCELLING: somebody wants it to end. Raises ClaimLost.
        """
        with self.database.decide() as connection:
            row = self._held(connection, claim)
            changes: dict[str, Any] = {"lease_until": self.database.now(connection) + LEASE_S}
            if running_s is not None:
                changes["running_s"] = running_s
            connection.execute(update(JOBS).where(JOBS.c.number == row.number).values(changes))
            return JobStatus(row.status)

    def started(self, claim: Claim) -> None:
        """Its process runs. Raises ClaimLost."""
        with self.database.decide() as connection:
            row = self._held(connection, claim)
            if row.started_at is None:
                self._set(connection, row, started_at=self.database.now(connection))

    def use_attempt(self, claim: Claim, attempt: int) -> Claim:
        """Go on with an earlier attempt, whose folder can be read here. Raises ClaimLost."""
        with self.database.decide() as connection:
            row = self._held(connection, claim)
            self._set(connection, row, attempt=attempt)
            return _claim_of(connection, row.job_id)

    def note_sweep(self, claim: Claim, sweep_id: str) -> None:
        """Its sweep has this id. Raises ClaimLost."""
        with self.database.decide() as connection:
            self._set(connection, self._held(connection, claim), sweep_id=sweep_id)

    def ended(self, claim: Claim, status: JobStatus, detail: str = "") -> Job:
        """Its processes are gone. status: final, or INTERRUPTED if it shall go on. detail: why, in words.

        Raises ClaimLost: then the outcome is another worker's business.
        """
        if status not in {JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.INTERRUPTED}:
            raise ValueError(f"a job doesn't end as {status}")
        with self.database.decide() as connection:
            row = self._held(connection, claim)
            now = self.database.now(connection)
            if status is JobStatus.INTERRUPTED and row.status == JobStatus.CANCELLING:
                status = JobStatus.CANCELLED
            self._let_go(connection, row, status, now, kept_until=now + ELSEWHERE_AFTER_S, detail=detail)
            return job_of(find_row(connection, row.job_id))

    def release(self, claim: Claim, detail: str = "the worker was stopped") -> Job:
        """Give it back, with its processes gone: it goes on here, or after ELSEWHERE_AFTER_S anywhere.

        Raises ClaimLost.
        """
        return self.ended(claim, JobStatus.INTERRUPTED, detail)

    def held(self, host: str) -> tuple[Held, ...]:
        """The jobs that are running or cancelling on this host, whichever worker has them."""
        with self.database.read() as connection:
            now = self.database.now(connection)
            rows = connection.execute(_on(host)).all()
            return tuple(
                Held(
                    job=job_of(row), token=row.token, ran_out=row.lease_until is None or row.lease_until < now
                )
                for row in rows
            )

    def orphans(self, host: str) -> tuple[Job, ...]:
        """The jobs of this host whose worker wasn't heard from for LEASE_S."""
        return tuple(held.job for held in self.held(host) if held.ran_out)

    def cancelling(self, host: str) -> tuple[str, ...]:
        """The ids of the jobs on this host that somebody wants to end."""
        asked = select(JOBS.c.job_id).where(JOBS.c.status == JobStatus.CANCELLING, JOBS.c.host == host)
        with self.database.read() as connection:
            return tuple(connection.execute(asked).scalars())

    def _next(
        self, connection: Connection, host: str, devices: Sequence[str], now: float
    ) -> tuple[Row[Any], str] | None:
        """The waiting row that starts next on this host, and the device that it gets."""
        active = connection.execute(select(JOBS.c.host, JOBS.c.device).where(JOBS.c.status.in_(ACTIVE))).all()
        if len(active) >= self.limits.jobs_at_once:
            return None
        busy = {row.device for row in active if row.host == host}
        free = [device for device in devices if device not in busy]
        here = or_(
            JOBS.c.status == JobStatus.PENDING,
            JOBS.c.host == host,
            JOBS.c.kept_until.is_(None),
            JOBS.c.kept_until <= now,
        )
        asked = select(JOBS).where(JOBS.c.status.in_(WAITING), here)
        if not free:
            asked = asked.where(JOBS.c.needs_device.is_(False))
        row = connection.execute(asked.order_by(JOBS.c.rank, JOBS.c.number).limit(1)).first()
        if row is None:
            return None
        return row, free[0] if row.needs_device else ""

    def _end_leases(self, connection: Connection, now: float) -> None:
        for row in _ran_out(connection, now):
            away = f"its worker on {row.host} was not heard from"
            ending = row.status == JobStatus.CANCELLING
            status = JobStatus.CANCELLED if ending else JobStatus.INTERRUPTED
            self._let_go(connection, row, status, now, kept_until=None, detail=away)

    def _let_go(
        self,
        connection: Connection,
        row: Row[Any],
        status: JobStatus,
        now: float,
        *,
        kept_until: float | None,
        detail: str,
    ) -> None:
        """Nobody has it any more; its host's name stays, because its folder is there.

        It is never PENDING again: its host may have begun it, even if the database never heard `started`.
        """
        self._set(
            connection,
            row,
            status=status,
            device="",
            token=row.token + 1,
            lease_until=None,
            kept_until=kept_until if status is JobStatus.INTERRUPTED else None,
            completed_at=now if status.is_final else None,
            detail=detail,
        )

    def _held(self, connection: Connection, claim: Claim) -> Row[Any]:
        """The row of a job, if the claim's token is the newest one."""
        row = find_row(connection, claim.job.job_id)
        if row.token != claim.token or row.status not in ACTIVE:
            raise ClaimLost(
                f"job {row.job_id} is not this worker's any more: it is {row.status}"
                + (f" on {row.host}" if row.host and row.status in ACTIVE else ""),
                hint="the worker wasn't heard from for too long; what it ran of the job is stopped",
            )
        return row

    def _set(self, connection: Connection, row: Row[Any], **changes: Any) -> None:
        connection.execute(update(JOBS).where(JOBS.c.number == row.number).values(changes))
        self.database.ring(connection)


def _on(host: str) -> Select[Any]:
    return select(JOBS).where(JOBS.c.status.in_(ACTIVE), JOBS.c.host == host).order_by(JOBS.c.number)


def _ran_out(connection: Connection, now: float) -> Sequence[Row[Any]]:
    ran_out = and_(JOBS.c.status.in_(ACTIVE), func.coalesce(JOBS.c.lease_until, 0.0) < now)
    return connection.execute(select(JOBS).where(ran_out)).all()


def _claim_of(connection: Connection, job_id: str) -> Claim:
    row = find_row(connection, job_id)
    return Claim(job=job_of(row), host=row.host, token=row.token)
