"""Open an SQL database: SQLite in a file, or PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.errors import ResultsError, UsageError
from results.extras import install_command

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    import sqlalchemy

INDEX_NAME = ".index.sqlite3"  # of the index of the runs, in their folder
BUSY_S = 30.0  # how long a writer waits for another one

# What the URL doesn't say. Of a database in SQL_ASCII all texts would be bytes; a host that vanished, which sends
# nothing at all, would hold its caller for minutes when it connects, and for hours later.
_POSTGRESQL = {
    "client_encoding": "utf8",
    "connect_timeout": 10,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


def sqlite_url(path: Path) -> str:
    """The URL of a database in that file."""
    return f"sqlite:///{path}"


def open_engine(url: str) -> sqlalchemy.Engine:
    """An engine for `sqlite:///FILE` or `postgresql://...`. Nothing is connected to before it is used.

    SQLite is opened in WAL mode, so that readers never wait, and with foreign keys. Raises UsageError for any other
    URL, and ResultsError if the extra that it needs is missing.
    """
    try:
        import sqlalchemy
        from sqlalchemy import event
        from sqlalchemy.exc import ArgumentError
    except ModuleNotFoundError as error:
        raise ResultsError("SQLAlchemy is not installed", hint=install_command("serve")) from error
    try:
        asked = sqlalchemy.make_url(url)
    except ArgumentError:
        raise UsageError("that is no URL of a database", hint="postgresql://USER@HOST/DATABASE") from None
    backend = asked.get_backend_name()
    if backend == "postgresql":
        try:
            import psycopg  # noqa: F401 - only whether it is there
        except ModuleNotFoundError as error:
            raise ResultsError("psycopg is not installed", hint=install_command("postgres")) from error
        return sqlalchemy.create_engine(
            asked.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            pool_size=5,
            max_overflow=10,
            connect_args={name: value for name, value in _POSTGRESQL.items() if name not in asked.query},
        )
    if backend != "sqlite":
        raise UsageError(
            f"{backend} is not supported", hint="postgresql://USER@HOST/DATABASE, or none for SQLite"
        )
    engine = sqlalchemy.create_engine(asked, connect_args={"timeout": BUSY_S})

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine
