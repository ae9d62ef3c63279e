"""Whose jobs may run: of users who have a key that adds jobs, and of those of the printed link, who need none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, update

from web.access.role import Role
from web.database.tables import JOBS, KEYS
from web.jobs.audit import note
from web.jobs.job import JobStatus
from web.jobs.rows import WAITING

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from web.database.database import Database

RUNNERS = tuple(role.value for role in Role if role.includes(Role.RUN))


def has_run_key(connection: Connection, user: str) -> bool:
    """Whether one of the user's keys that add jobs is not revoked; within a transaction."""
    found = select(KEYS.c.key_id).where(
        KEYS.c.user == user, KEYS.c.role.in_(RUNNERS), KEYS.c.revoked_at.is_(None)
    )
    return connection.execute(found.limit(1)).first() is not None


def may_post(connection: Connection, user: str) -> bool:
    """Whether jobs may be posted for the user; within a transaction. Who never had a key came by the printed link."""
    ever = select(KEYS.c.key_id).where(KEYS.c.user == user).limit(1)
    return has_run_key(connection, user) or connection.execute(ever).first() is None


def cancel_waiting(database: Database, connection: Connection, user: str, by: str) -> tuple[str, ...]:
    """Cancel those of the user's jobs that wait, within a transaction of `decide`. What runs, runs on.

    Returns their ids.
    """
    rows = connection.execute(
        update(JOBS)
        .where(JOBS.c.user == user, JOBS.c.status.in_(WAITING))
        .values(
            status=JobStatus.CANCELLED,
            token=JOBS.c.token + 1,
            lease_until=None,
            kept_until=None,
            completed_at=database.now(connection),
            detail="cancelled: its user's last key was revoked",
        )
        .returning(JOBS.c.job_id)
    ).all()
    for row in rows:
        note(database, connection, by, "job cancelled", row.job_id)
    if rows:
        database.ring(connection)
    return tuple(row.job_id for row in rows)
