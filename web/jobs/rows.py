"""Jobs as rows, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Double, select

from web.database.tables import JOBS
from web.jobs.job import Job, JobStatus, Priority
from web.jobs.refusals import NoSuchJob
from web.jobs.stored_text import storable

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Row

WAITING = (JobStatus.PENDING, JobStatus.INTERRUPTED)
ACTIVE = (JobStatus.RUNNING, JobStatus.CANCELLING)

_FIELDS = tuple(name for name in Job.__dataclass_fields__ if name not in {"status", "priority", "manifest"})
_REAL = {column.name for column in JOBS.c if isinstance(column.type, Double)}


def job_of(row: Row[Any], *, with_manifest: bool = True) -> Job:
    """The job of a row of JOBS."""
    values = row._mapping  # noqa: SLF001 - a public name, which can't be a column's
    return Job(
        status=JobStatus(values["status"]),
        priority=Priority(values["priority"]),
        manifest=values["manifest"] if with_manifest else "",
        **{name: _float(values[name]) if name in _REAL else values[name] for name in _FIELDS},
    )


def _float(number: Any) -> Any:
    """SQLite's RETURNING gives a whole number back as an int."""
    return None if number is None else float(number)


def find_row(connection: Connection, job_id: str) -> Row[Any]:
    """The row of a job. Raises NoSuchJob."""
    row = (
        connection.execute(select(JOBS).where(JOBS.c.job_id == job_id)).first() if storable(job_id) else None
    )
    if row is None:
        raise NoSuchJob("there is no job with that id", hint="look at the list of jobs")
    return row
