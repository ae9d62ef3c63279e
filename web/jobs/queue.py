"""The queue of jobs, of one database."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, or_, select

from results.errors import UsageError
from web.database.tables import JOBS
from web.jobs.audit import note
from web.jobs.claiming import Claims
from web.jobs.job import Job, JobStatus, NewJob, Priority, name_line
from web.jobs.refusals import NoSuchJob, QueueFull, WrongStatus
from web.jobs.repeating import made_before, remember
from web.jobs.rows import ACTIVE, WAITING, find_row, job_of
from web.jobs.stored_text import require_storable, storable
from web.jobs.waiting import starts_in_s

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection
    from sqlalchemy.sql import ColumnElement

# A job of one priority is overtaken only by jobs of the next one that come within this time: none waits for ever.
LEAD_S = 1800.0


@dataclass(frozen=True, kw_only=True)
class JobQuery:
    """Which jobs; None: any. model_name, suite: of one of its runs. since: seconds since the epoch, of created_at.
    cursor: next_cursor of the page before.
    """

    user: str | None = None
    statuses: tuple[JobStatus, ...] = ()
    model_name: str | None = None
    suite: str | None = None
    project_id: str | None = None
    schedule_id: str | None = None
    since: float | None = None
    limit: int = 20
    cursor: str | None = None


@dataclass(frozen=True, kw_only=True)
class JobPage:
    """jobs: the newest first, each with an empty manifest. total: on all pages. next_cursor: None on the last page."""

    jobs: tuple[Job, ...]
    total: int
    next_cursor: str | None


@dataclass(frozen=True, kw_only=True)
class Place:
    """Of a waiting job: how many start before it, and in how many seconds it is expected to start."""

    ahead: int
    starts_in_s: float


class Queue(Claims):
    """All that is done with jobs. Each method is one transaction, and safe beside all others on all hosts.

    Every method raises ResultsError if the database fails, DatabaseUnavailable if that may pass.
    """

    def add(self, new: NewJob, idempotency_key: str | None = None, *, fingerprint: str | None = None) -> Job:
        """Add a job. When it returns, the job is on disk.

        idempotency_key: the same user's same key gives the same job again, also after it ended. fingerprint: of what
        was asked for; None: made of `new`, less its estimate.
        Raises QueueFull, KeyReused (the key came with something else), UsageError (a text that can't be stored).
        """
        require_storable(
            user=new.user,
            suite=new.suite,
            model=new.model_name,
            names=new.names,
            manifest=new.manifest,
            project_id=new.project_id,
            schedule_id=new.schedule_id,
            idempotency_key=idempotency_key or "",
        )
        with self.database.decide() as connection:
            if idempotency_key is not None:
                fingerprint = fingerprint or _fingerprint(new)
                earlier = _earlier(connection, new.user, idempotency_key, fingerprint)
                if earlier is not None:
                    return earlier
            refused = self._refused(connection, new.user)
            if refused is None:
                job = self.insert(connection, new)
                if idempotency_key is not None:
                    remember(
                        connection,
                        new.user,
                        idempotency_key,
                        fingerprint or "",
                        made=job.job_id,
                        created_at=job.created_at,
                    )
                return job
            note(self.database, connection, new.user, "job refused", "too many of the user's jobs wait")
        raise refused  # after the commit, which keeps the note

    def earlier(self, user: str, idempotency_key: str, fingerprint: str) -> Job | None:
        """The job that `add` made of the user's key before. Raises KeyReused."""
        if not storable(idempotency_key):
            return None
        with self.database.read() as connection:
            return _earlier(connection, user, idempotency_key, fingerprint)

    def insert(self, connection: Connection, new: NewJob) -> Job:
        """Add a job within a transaction of `decide`, without looking at the limits."""
        now = self.database.now(connection)
        row = connection.execute(
            insert(JOBS)
            .values(
                **asdict(new) | {"priority": int(new.priority)},
                job_id=str(uuid.uuid4()),
                status=JobStatus.PENDING,
                created_at=now,
                rank=_rank(now, new.priority),
                attempt=1,
                host="",
                device="",
                sweep_id="",
                running_s=0.0,
                detail="",
                token=0,
            )
            .returning(JOBS)
        ).one()
        note(self.database, connection, new.user, "job added", row.job_id)
        self.database.ring(connection)
        return job_of(row)

    def has_place(self, connection: Connection, user: str) -> bool:
        """Whether one more of the user's jobs may wait; within a transaction."""
        return self._waiting(connection, user) < self.limits.queued_per_user

    def get(self, job_id: str) -> Job | None:
        """The job with that id."""
        with self.database.read() as connection:
            try:
                return job_of(find_row(connection, job_id))
            except NoSuchJob:
                return None

    def jobs(self, query: JobQuery) -> JobPage:
        """A page of jobs, the newest first. Jobs that are added meanwhile move nothing between pages.

        Raises UsageError for a cursor that isn't one of ours.
        """
        wanted = _conditions(query)
        page = select(*(each for each in JOBS.c if each not in {JOBS.c.manifest, JOBS.c.names})).where(
            *wanted
        )
        if query.cursor is not None:
            page = page.where(JOBS.c.number < _number(query.cursor))
        with self.database.read() as connection:
            total = connection.execute(select(func.count()).select_from(JOBS).where(*wanted)).scalar_one()
            rows = connection.execute(page.order_by(JOBS.c.number.desc()).limit(query.limit + 1)).all()
        shown = rows[: query.limit]
        return JobPage(
            jobs=tuple(job_of(row, with_manifest=False) for row in shown),
            total=total,
            next_cursor=str(shown[-1].number) if len(rows) > len(shown) and shown else None,
        )

    def counts(self) -> dict[JobStatus, int]:
        """How many jobs there are, by status."""
        asked = select(JOBS.c.status, func.count().label("jobs")).group_by(JOBS.c.status)
        with self.database.read() as connection:
            found = {row.status: row.jobs for row in connection.execute(asked)}
        return {status: found.get(status, 0) for status in JobStatus}

    def places(self) -> dict[str, Place]:
        """Of each waiting job, by its id."""
        with self.database.read() as connection:
            starts = starts_in_s(connection, self.limits, self.database.now(connection))
        return {
            job_id: Place(ahead=ahead, starts_in_s=start)
            for ahead, (job_id, start) in enumerate(starts.items())
        }

    def cancel(self, job_id: str, by: str) -> Job:
        """End it: at once if it waits; if it runs, it is CANCELLING until its worker has ended it. Again: no change.

        Raises NoSuchJob, or WrongStatus if it is completed or failed.
        """
        with self.database.decide() as connection:
            row = find_row(connection, job_id)
            status = JobStatus(row.status)
            if status in {JobStatus.COMPLETED, JobStatus.FAILED}:
                raise WrongStatus(f"job {row.job_id} is {status}: there is nothing to cancel")
            if status in {JobStatus.CANCELLING, JobStatus.CANCELLED}:
                return job_of(row)
            if status in ACTIVE:
                self._set(connection, row, status=JobStatus.CANCELLING, detail=f"cancelled by {by}")
            else:
                now = self.database.now(connection)
                self._let_go(
                    connection, row, JobStatus.CANCELLED, now, kept_until=None, detail=f"cancelled by {by}"
                )
            note(self.database, connection, by, "job cancelled", job_id)
            return job_of(find_row(connection, job_id))

    def retry(self, job_id: str, by: str) -> Job:
        """Let a job that failed, was cancelled or was interrupted wait again, as a new attempt; its sweep_id stays, so
        that what is done of the sweep may be kept.

        Raises NoSuchJob, WrongStatus, or QueueFull (of the job's user).
        """
        with self.database.decide() as connection:
            row = find_row(connection, job_id)
            status = JobStatus(row.status)
            if status not in {JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.INTERRUPTED}:
                raise WrongStatus(
                    f"job {row.job_id} is {status}: only what failed or was stopped can be tried again"
                )
            refused = None if status in WAITING else self._refused(connection, row.user)
            if refused is None:
                now = self.database.now(connection)
                self._set(
                    connection,
                    row,
                    status=JobStatus.PENDING,
                    rank=_rank(now, Priority(row.priority)),
                    attempt=row.attempt + 1,
                    token=row.token + 1,
                    started_at=None,
                    completed_at=None,
                    kept_until=None,
                    lease_until=None,
                    running_s=0.0,
                    detail="",
                )
                note(self.database, connection, by, "job retried", job_id)
                return job_of(find_row(connection, job_id))
            note(self.database, connection, by, "job refused", "too many of the user's jobs wait")
        raise refused

    def _waiting(self, connection: Connection, user: str) -> int:
        asked = select(func.count()).select_from(JOBS).where(JOBS.c.user == user, JOBS.c.status.in_(WAITING))
        return connection.execute(asked).scalar_one()

    def _refused(self, connection: Connection, user: str) -> QueueFull | None:
        if self.has_place(connection, user):
            return None
        starts = starts_in_s(connection, self.limits, self.database.now(connection))
        own = connection.execute(select(JOBS.c.job_id).where(JOBS.c.user == user, JOBS.c.status.in_(WAITING)))
        return QueueFull(
            f"{self.limits.queued_per_user} of this user's jobs wait already",
            retry_after_s=max(min((starts[row.job_id] for row in own), default=0.0), 1.0),
            hint="try again when one of them has started, or cancel one",
        )


def _earlier(connection: Connection, user: str, key: str, fingerprint: str) -> Job | None:
    made = made_before(connection, user, key, fingerprint)
    return None if made is None else job_of(find_row(connection, made))


def _rank(now: float, priority: Priority) -> float:
    """The lowest starts next. It is fixed when a job is queued, so a job's place only ever gets better."""
    return now - LEAD_S * priority


def _fingerprint(new: NewJob) -> str:
    asked = asdict(new)
    del asked["estimated_duration_s"]  # from earlier runs, of which there are more each time
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _conditions(query: JobQuery) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    texts: tuple[tuple[Any, str | None], ...] = (
        (JOBS.c.user, query.user),
        (JOBS.c.project_id, query.project_id),
        (JOBS.c.schedule_id, query.schedule_id),
    )
    for column, text in texts:
        if text is not None:
            # What can't be stored is nobody's.
            found.append(column == text if storable(text) else JOBS.c.number < 0)
    for shown, kind, name in (
        (JOBS.c.model_name, "model", query.model_name),
        (JOBS.c.suite, "suite", query.suite),
    ):
        if name is not None:
            found.append(_has_name(shown, kind, name) if storable(name) else JOBS.c.number < 0)
    if query.statuses:
        found.append(JOBS.c.status.in_(query.statuses))
    if query.since is not None:
        found.append(JOBS.c.created_at >= query.since)
    return found


def _has_name(shown: ColumnElement[str], kind: str, name: str) -> ColumnElement[bool]:
    """It is all that is shown, or one of several. LIKE would take capitals for small letters in SQLite."""
    return or_(shown == name, func.replace(JOBS.c.names, name_line(kind, name), "") != JOBS.c.names)


def _number(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
        raise UsageError(
            "that is no cursor of a list of jobs", hint="leave it out to begin at the first page"
        )
    return int(cursor)
