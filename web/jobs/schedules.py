"""Jobs that are posted by the clock, at low priority."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select, update

from results.errors import UsageError
from web.database.tables import JOBS, SCHEDULES
from web.jobs.audit import note
from web.jobs.cron import next_time
from web.jobs.job import Job, NewJob, Priority
from web.jobs.key_holders import may_post
from web.jobs.refusals import KeyReused, NoSuchJob
from web.jobs.repeating import made_before, remember
from web.jobs.rows import WAITING
from web.jobs.stored_text import require_storable, storable

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Row

    from web.database.database import Database
    from web.jobs.queue import Queue

MOST_OF_A_USER = 50


@dataclass(frozen=True, kw_only=True)
class NewSchedule:
    """cron: five fields. time_zone: as in the tz database. What is posted: as in NewJob. manifest: so it keeps the
    operator's settings of the day it was made.
    """

    user: str
    name: str
    cron: str
    suite: str
    model_name: str
    manifest: str
    time_zone: str = "UTC"
    project_id: str = ""
    needs_device: bool = True
    names: str = ""


@dataclass(frozen=True, kw_only=True)
class Schedule(NewSchedule):
    """next_at: when it posts next; None: never again. posted_at, job_id: when it posted last, and what; None and ""
    if it never did. detail: why it posted nothing the last time, in words; "" if it did. Times as in Job.
    """

    schedule_id: str
    created_at: float
    next_at: float | None
    posted_at: float | None
    job_id: str
    detail: str


class Schedules:
    """The schedules of one database. Every method raises ResultsError if the database fails."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, new: NewSchedule, idempotency_key: str | None = None, *, fingerprint: str = "") -> Schedule:
        """Add one. idempotency_key, fingerprint: as for Queue.add.

        Raises UsageError: its time is none, the user has one of that name, or has too many; KeyReused: the key came
        with something else, or what it added was removed.
        """
        require_storable(
            user=new.user,
            name=new.name,
            cron=new.cron,
            suite=new.suite,
            model=new.model_name,
            names=new.names,
            manifest=new.manifest,
            project_id=new.project_id,
            idempotency_key=idempotency_key or "",
        )
        with self._database.decide() as connection:
            if idempotency_key is not None:
                earlier = _earlier(connection, new.user, idempotency_key, fingerprint)
                if earlier is not None:
                    return earlier
            now = self._database.now(connection)
            next_at = next_time(new.cron, new.time_zone, now)
            names = (
                connection.execute(select(SCHEDULES.c.name).where(SCHEDULES.c.user == new.user))
                .scalars()
                .all()
            )
            if new.name in names:
                raise UsageError("this user has a schedule of that name", hint="give it another name")
            if len(names) >= MOST_OF_A_USER:
                raise UsageError(
                    f"this user has {MOST_OF_A_USER} schedules already", hint="remove one that is not needed"
                )
            row = connection.execute(
                insert(SCHEDULES)
                .values(
                    **{name: getattr(new, name) for name in NewSchedule.__dataclass_fields__},
                    schedule_id=secrets.token_hex(8),
                    created_at=now,
                    next_at=next_at,
                    job_id="",
                    detail="",
                )
                .returning(SCHEDULES)
            ).one()
            if idempotency_key is not None:
                made = str(row.schedule_id)
                remember(connection, new.user, idempotency_key, fingerprint, made=made, created_at=now)
            note(self._database, connection, new.user, "schedule added", row.schedule_id)
            self._database.ring(connection)
            return _schedule_of(row)

    def earlier(self, user: str, idempotency_key: str, fingerprint: str) -> Schedule | None:
        """The one that `add` made of the user's key before. Raises KeyReused."""
        if not storable(idempotency_key):
            return None
        with self._database.read() as connection:
            return _earlier(connection, user, idempotency_key, fingerprint)

    def list(self, user: str | None = None) -> tuple[Schedule, ...]:
        """All of them, or one user's, in the order in which they were added."""
        asked = select(SCHEDULES).order_by(SCHEDULES.c.number)
        if user is not None:
            asked = asked.where(SCHEDULES.c.user == (user if storable(user) else ""))
        with self._database.read() as connection:
            return tuple(map(_schedule_of, connection.execute(asked)))

    def get(self, schedule_id: str) -> Schedule | None:
        """The one with that id."""
        with self._database.read() as connection:
            row = _find(connection, schedule_id)
            return _schedule_of(row) if row else None

    def remove(self, schedule_id: str, by: str) -> None:
        """It posts nothing from now on; its jobs stay. Raises NoSuchJob."""
        with self._database.decide() as connection:
            row = _find(connection, schedule_id)
            if row is None:
                raise NoSuchJob("there is no schedule with that id", hint="look at the list of schedules")
            connection.execute(delete(SCHEDULES).where(SCHEDULES.c.number == row.number))
            note(self._database, connection, by, "schedule removed", row.schedule_id)

    def due_in_s(self) -> float | None:
        """In how many seconds the next one posts, at most 0 if its time has come; None: there is none."""
        with self._database.read() as connection:
            next_at = connection.execute(select(func.min(SCHEDULES.c.next_at))).scalar()
            return None if next_at is None else float(next_at) - self._database.now(connection)

    def post_due(self, queue: Queue) -> tuple[Job, ...]:
        """Post the jobs whose time has come: one a schedule, however many times were missed. Any worker may call it at
        any time; each time is posted once. Nothing is posted while the schedule's last job still waits, or while its
        user has no valid key or no place in the queue: then the schedule's detail says so.
        """
        with self._database.read() as connection:
            if not _due(connection, self._database.now(connection)):
                return ()
        with self._database.decide() as connection:
            now = self._database.now(connection)
            posted = [self._post(connection, queue, row, now) for row in _due(connection, now)]
            return tuple(job for job in posted if job is not None)

    def _post(self, connection: Connection, queue: Queue, row: Row[Any], now: float) -> Job | None:
        changes: dict[str, Any] = {"detail": _refusal(connection, queue, row)}
        job = None
        if not changes["detail"]:
            job = queue.insert(connection, _new_job(row))
            changes |= {"posted_at": now, "job_id": job.job_id}
        try:
            changes["next_at"] = next_time(row.cron, row.time_zone, now)
        except UsageError as error:  # a time zone may go with an update of the system
            changes |= {"next_at": None, "detail": error.message}
        connection.execute(update(SCHEDULES).where(SCHEDULES.c.number == row.number).values(changes))
        if job is None:
            note(
                self._database,
                connection,
                row.user,
                f"schedule skipped: {changes['detail']}",
                row.schedule_id,
            )
        return job


def _earlier(connection: Connection, user: str, key: str, fingerprint: str) -> Schedule | None:
    made = made_before(connection, user, key, fingerprint)
    if made is None:
        return None
    row = _find(connection, made)
    if row is None:
        raise KeyReused(
            "the schedule that this Idempotency-Key added was removed", hint="send a new key to add it again"
        )
    return _schedule_of(row)


def _due(connection: Connection, now: float) -> list[Row[Any]]:
    asked = (
        select(SCHEDULES).where(SCHEDULES.c.next_at <= now).order_by(SCHEDULES.c.next_at, SCHEDULES.c.number)
    )
    return list(connection.execute(asked))


def _refusal(connection: Connection, queue: Queue, row: Row[Any]) -> str:
    if not may_post(connection, row.user):
        return "its user has no valid key"
    waiting = select(JOBS.c.job_id).where(JOBS.c.schedule_id == row.schedule_id, JOBS.c.status.in_(WAITING))
    if connection.execute(waiting.limit(1)).first():
        return "its last job still waits"
    return "" if queue.has_place(connection, row.user) else "too many of the user's jobs wait"


def _new_job(row: Row[Any]) -> NewJob:
    return NewJob(
        user=row.user,
        suite=row.suite,
        model_name=row.model_name,
        manifest=row.manifest,
        priority=Priority.LOW,
        project_id=row.project_id,
        needs_device=row.needs_device,
        names=row.names,
        schedule_id=row.schedule_id,
    )


def _find(connection: Connection, schedule_id: str) -> Row[Any] | None:
    if not storable(schedule_id):
        return None
    return connection.execute(select(SCHEDULES).where(SCHEDULES.c.schedule_id == schedule_id)).first()


def _schedule_of(row: Row[Any]) -> Schedule:
    return Schedule(**{name: getattr(row, name) for name in Schedule.__dataclass_fields__})
