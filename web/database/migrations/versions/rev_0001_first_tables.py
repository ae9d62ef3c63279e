"""The first tables."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Integer, Text, UniqueConstraint, text

revision = "0001"
down_revision = None

_NUMBER = BigInteger().with_variant(Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "jobs",
        Column("number", _NUMBER, primary_key=True, autoincrement=True),
        Column("job_id", Text, nullable=False, unique=True),
        Column("user", Text, nullable=False),
        Column("status", Text, nullable=False),
        Column("suite", Text, nullable=False),
        Column("model_name", Text, nullable=False),
        Column("manifest", Text, nullable=False),
        Column("priority", Integer, nullable=False),
        Column("project_id", Text, nullable=False),
        Column("needs_device", Boolean, nullable=False),
        Column("estimated_duration_s", Double),
        Column("schedule_id", Text, nullable=False),
        Column("created_at", Double, nullable=False),
        Column("rank", Double, nullable=False),
        Column("started_at", Double),
        Column("completed_at", Double),
        Column("attempt", Integer, nullable=False),
        Column("host", Text, nullable=False),
        Column("device", Text, nullable=False),
        Column("sweep_id", Text, nullable=False),
        Column("running_s", Double, nullable=False),
        Column("detail", Text, nullable=False),
        Column("token", Integer, nullable=False),
        Column("lease_until", Double),
        Column("kept_until", Double),
        Index("jobs_by_status", "status", "number"),
        Index("jobs_by_user", "user", "number"),
        Index("jobs_by_schedule", "schedule_id", "number"),
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
    op.create_table(
        "idempotency_keys",
        Column("user", Text, primary_key=True),
        Column("key", Text, primary_key=True),
        Column("fingerprint", Text, nullable=False),
        Column("job_id", Text, nullable=False),
        Column("created_at", Double, nullable=False, index=True),
    )
    op.create_table(
        "keys",
        Column("key_id", Text, primary_key=True),
        Column("user", Text, nullable=False),
        Column("role", Text, nullable=False),
        Column("hash", Text, nullable=False),
        Column("created_at", Double, nullable=False),
        Column("last_used_at", Double),
        Column("revoked_at", Double),
    )
    op.create_table(
        "schedules",
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
        UniqueConstraint("user", "name", name="one_name_a_user"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "audit",
        Column("number", _NUMBER, primary_key=True, autoincrement=True),
        Column("at", Double, nullable=False),
        Column("who", Text, nullable=False),
        Column("what", Text, nullable=False),
        Column("on", Text, nullable=False),
        Index("audit_by_who", "who", "number"),
        sqlite_autoincrement=True,
    )
