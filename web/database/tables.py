"""The tables. A change here needs a new file in migrations/versions, and a new HEAD.

Times are seconds since the epoch, UTC, by the database's clock. Texts that people gave are stored as they are.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

HEAD = "0002"  # the newest migration

# SQLite numbers rows by itself only if the type is INTEGER.
_NUMBER = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData()


class Word(TypeDecorator[str]):
    """A member of a StrEnum as its value; psycopg would store a member's name."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: object) -> str | None:
        return None if value is None else str(value)


JOBS = Table(
    "jobs",
    metadata,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),  # in the order in which they were added
    Column("job_id", Text, nullable=False, unique=True),
    Column("user", Text, nullable=False),
    Column("status", Word, nullable=False),
    Column("suite", Text, nullable=False),
    Column("model_name", Text, nullable=False),
    Column("manifest", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("project_id", Text, nullable=False),
    Column("needs_device", Boolean, nullable=False),
    Column("estimated_duration_s", Double),
    Column("schedule_id", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column(
        "rank", Double, nullable=False
    ),  # the lowest one starts next: when it was queued, less its priority's lead
    Column("started_at", Double),
    Column("completed_at", Double),
    Column("attempt", Integer, nullable=False),
    Column("host", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("sweep_id", Text, nullable=False),
    Column("running_s", Double, nullable=False),
    Column("detail", Text, nullable=False),
    Column("token", Integer, nullable=False),  # of the newest claim; older ones change nothing
    Column("lease_until", Double),  # the claim holds until then; NULL: nobody has it
    Column("kept_until", Double),  # until then only its own host may take it again
    Column("names", Text, nullable=False, server_default=""),  # of its suites and models, a line each
    Index("jobs_by_status", "status", "number"),
    Index("jobs_by_user", "user", "number"),
    Index("jobs_by_schedule", "schedule_id", "number"),
    # What `decide` ensures, said once more where no mistake of ours gets past it.
    Index(
        "one_job_a_device",
        "host",
        "device",
        unique=True,
        sqlite_where=text("device <> '' AND status IN ('running', 'cancelling')"),
        postgresql_where=text("device <> '' AND status IN ('running', 'cancelling')"),
    ),
    sqlite_autoincrement=True,
)

# An answer to a POST that may be sent again.
IDEMPOTENCY_KEYS = Table(
    "idempotency_keys",
    metadata,
    Column("user", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),  # SHA-256 of what was asked for
    Column("job_id", Text, nullable=False),
    Column("created_at", Double, nullable=False, index=True),
)

KEYS = Table(
    "keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("user", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("last_used_at", Double),
    Column("revoked_at", Double),
)

SCHEDULES = Table(
    "schedules",
    metadata,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),
    Column("schedule_id", Text, nullable=False, unique=True),
    Column("user", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("cron", Text, nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("suite", Text, nullable=False),
    Column("model_name", Text, nullable=False),
    Column("manifest", Text, nullable=False),
    Column("project_id", Text, nullable=False),
    Column("needs_device", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("next_at", Double, index=True),
    Column("posted_at", Double),
    Column("job_id", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("names", Text, nullable=False, server_default=""),
    UniqueConstraint("user", "name", name="one_name_a_user"),
    sqlite_autoincrement=True,
)

AUDIT = Table(
    "audit",
    metadata,
    Column("number", _NUMBER, primary_key=True, autoincrement=True),
    Column("at", Double, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("on", Text, nullable=False),
    Index("audit_by_who", "who", "number"),
    sqlite_autoincrement=True,
)
