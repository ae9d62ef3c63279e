"""What goes wrong with a database, in words, with one thing to try."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from results.errors import ResultsError

if TYPE_CHECKING:
    from collections.abc import Iterator

# (a pattern of the message, what to try, whether it may pass by itself)
_SQLITE = (
    (r"disk is full", "free some space there; nothing that was acknowledged is lost", True),
    (r"readonly database|read-only", "make the file and its folder writable for this user", False),
    (r"unable to open", "make its folder, and let this user write there", False),
    (
        r"not a database|malformed|corrupt",
        "move it away and restore a backup (docs/serve.md); without one, a new one is made, and all runs stay",
        False,
    ),
    (r"locked|busy", "another process writes to it for very long; end it, and look at the disk", True),
    (r"disk I/O error", "look at the disk that it lies on, and at the kernel's log", True),
)
_POSTGRESQL = (
    (r"password authentication failed|no password supplied", "set PGPASSWORD, or write ~/.pgpass", False),
    (r'role ".*" does not exist', "name a role that exists: postgresql://USER@HOST/DATABASE", False),
    (r'database ".*" does not exist', "make it: createdb DATABASE", False),
    (
        r"permission denied for schema|permission denied to create|no schema has been selected",
        "let the role own the database: createdb --owner ROLE DATABASE",
        False,
    ),
    (r"permission denied", "give the role its rights on the tables of this database", False),
    (r"no space left|could not extend file", "free some space on PostgreSQL's disk", True),
    (r"read-only transaction|during recovery", "connect to the primary server, not to a standby", True),
    (r"too many (clients|connections)|remaining connection slots", "raise max_connections", True),
    (r"lock timeout|deadlock", "another process holds a lock for very long; look at pg_stat_activity", True),
    (r".", "look whether PostgreSQL runs and can be reached from here: psql with the same URL", True),
)


class DatabaseUnavailable(ResultsError):
    """It may pass by itself: a worker tries again, and the jobs that run go on."""

    kind = "database_unavailable"


@contextlib.contextmanager
def explained(where: str) -> Iterator[None]:
    """Turn an error of the database in the block into a ResultsError. where: its name, without a password.

    Errors of our own statements are not: they are bugs. Raises DatabaseUnavailable where trying again may help.
    """
    try:
        yield
    except NoConnectionFree as error:
        raise DatabaseUnavailable(
            f"no connection to {where} is free", hint="too much is asked at once; try again"
        ) from error
    except DBAPIError as error:
        original = error.orig
        if original is None or not _is_about_the_database(error):
            raise
        message = _one_line(str(original))
        rows = _SQLITE if isinstance(original, sqlite3.Error) else _POSTGRESQL
        for pattern, hint, passes in rows:
            if re.search(pattern, message, re.IGNORECASE):
                kind = DatabaseUnavailable if passes else ResultsError
                raise kind(f"cannot use {where}: {message}", hint=hint) from error
        raise


def _is_about_the_database(error: DBAPIError) -> bool:
    """Its state, its server or its disk, rather than the statement."""
    name = type(error).__name__
    return name in {"OperationalError", "DatabaseError", "InternalError", "NotSupportedError"} or (
        name == "ProgrammingError"
        and re.search("permission denied|no schema has been selected", str(error.orig)) is not None
    )


def _one_line(message: str) -> str:
    """The first line that says something; PostgreSQL's go on with LINE, DETAIL and carets."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return lines[0][:300] if lines else "no message"
