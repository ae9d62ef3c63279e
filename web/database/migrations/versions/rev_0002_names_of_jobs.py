"""The names of all suites and models of a job, to find it by."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Text

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for table in ("jobs", "schedules"):
        op.add_column(table, Column("names", Text, nullable=False, server_default=""))
