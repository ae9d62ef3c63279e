"""Open the database of jobs and keys, and use it: `decide` to change something, `read` to look."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy
from sqlalchemy import event

from results.durable import explained as file_explained
from results.errors import ResultsError
from results.locks import lock
from results.store.sql import open_engine, sqlite_url
from web.database.tables import HEAD
from web.database.trouble import explained
from web.jobs.bell import Bell

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

    from sqlalchemy.engine import Connection, Engine

    from web.config import ServeConfig
    from web.jobs.bell import Waiter

_FILE_NAME = "serve.sqlite3"
_DECIDING = 0x62656E6368  # the advisory lock; the index of the runs has another one in the same database
_LOCK_TIMEOUT_S = 30
_RING = "bench_runner_ring"
_MIGRATIONS = Path(__file__).with_name("migrations")
CHANNEL = "bench_runner"  # of PostgreSQL's NOTIFY


class Database:
    """One open database. Safe to use from several threads; after a fork, open it anew.

    clock: for tests; else the time is the database's own, so that hosts whose clocks differ agree on leases.
    """

    def __init__(self, engine: Engine, bell: Bell, *, clock: Callable[[], float] | None = None) -> None:
        self.engine = engine
        self.bell = bell
        self.name = _name_of(engine)
        self._clock = clock
        self._is_sqlite = engine.dialect.name == "sqlite"

    @contextlib.contextmanager
    def decide(self) -> Iterator[Connection]:
        """A transaction that no other one runs beside, of any process on any host: what is read in it still holds
        when it is committed. An error undoes all of it.

        Raises ResultsError; DatabaseUnavailable if trying again may help.
        """
        with explained(self.name), self.engine.connect().execution_options(deciding=True) as connection:
            connection.info.pop(_RING, None)
            with connection.begin():
                if not self._is_sqlite:
                    # A snapshot that was taken before the lock is held, as other levels do, would be out of date.
                    connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE")
                    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT_S}s'")
                    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_DECIDING})")
                yield connection
            rings = connection.info.pop(_RING, False)
        if rings:
            self.bell.ring()

    def ring(self, connection: Connection) -> None:
        """Wake those who wait for changes when the transaction is committed. Only after a change: else two that
        look and ring wake each other without end.
        """
        if self._is_sqlite:
            connection.info[_RING] = True
        else:
            connection.exec_driver_sql(f"NOTIFY {CHANNEL}")

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads. It never waits for `decide`, and sees one state of SQLite."""
        with explained(self.name), self.engine.connect() as connection, connection.begin():
            yield connection

    def now(self, connection: Connection) -> float:
        """Seconds since the epoch: on PostgreSQL its server's clock, which all hosts share."""
        if self._clock is not None:
            return self._clock()
        if self._is_sqlite:
            return time.time()
        asked = connection.exec_driver_sql("SELECT extract(epoch FROM clock_timestamp())::float8")
        return float(asked.scalar_one())

    def waiter(self) -> Waiter:
        """Something that wakes whenever somebody rang. Close it after use."""
        if self._is_sqlite:
            return self.bell.waiter()
        from web.database.listening import Listener

        return Listener(self.engine, CHANNEL)

    def close(self) -> None:
        """Close its connections."""
        self.engine.dispose()


def open_database(config: ServeConfig, *, clock: Callable[[], float] | None = None) -> Database:
    """Open it, make it if it is new, and bring its tables to this version.

    state_dir becomes readable by this user only, as does SQLite's file. Raises ResultsError: it is of a newer version,
    damaged, read-only or not there, or the disk is full; DatabaseUnavailable if trying again may help.
    """
    _make_private(config.state_dir)
    if config.database_url is None:
        path, opening = config.state_dir / _FILE_NAME, config.state_dir / ".opening.lock"
        engine = open_engine(sqlite_url(path))
        _begin_by_ourselves(engine)
        database = Database(engine, Bell(config.state_dir / "bell"), clock=clock)
        with file_explained("open", path):
            _make_private_file(path)
            _make_private_file(opening)
            # Two processes that switch a new file to WAL at once don't wait for each other, but fail.
            with lock(opening):
                _bring_to_head(database)
    else:
        engine = open_engine(config.database_url)
        database = Database(engine, Bell(config.state_dir / "bell"), clock=clock)
        _bring_to_head(database)
    return database


def _begin_by_ourselves(engine: Engine) -> None:
    """Python's sqlite3 begins transactions late and never IMMEDIATE; so it is kept from beginning any."""

    @event.listens_for(engine, "connect")
    def _stop(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        deciding = connection.get_execution_options().get("deciding")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if deciding else "BEGIN")


def _name_of(engine: Engine) -> str:
    """Where it is, without its password, which may also stand behind the question mark."""
    if engine.dialect.name == "sqlite":
        return str(engine.url.database)
    asked = engine.url
    host = asked.host or next(iter(asked.normalized_query.get("host", ())), "")
    return f"the PostgreSQL database {asked.database or ''} at {host or 'its default host'}"


def _bring_to_head(database: Database) -> None:
    try:
        with database.read() as connection:
            if _revision(connection) == HEAD:
                return
        with database.decide() as connection:
            found = _revision(connection)  # another process may have been faster
            if found != HEAD:
                _migrate(database, connection, found)
    except BaseException:
        database.close()
        raise


def _revision(connection: Connection) -> str | None:
    if not sqlalchemy.inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def _migrate(database: Database, connection: Connection, found: str | None) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise ResultsError(
            f"{database.name} is of a newer version of this program (its tables are at {found!r})",
            hint="use that version or a newer one, or restore a backup that this version made",
        )
    if connection.dialect.name == "postgresql":
        encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
        if encoding != "UTF8":
            raise ResultsError(
                f"{database.name} has the encoding {encoding}, which can't hold all texts",
                hint="make one that can: createdb --encoding UTF8 --template template0 DATABASE",
            )
    command.upgrade(config, "head")


def _make_private(folder: Path) -> None:
    with file_explained("make", folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
        if found.st_uid != os.geteuid():
            raise ResultsError(
                f"{folder} belongs to another user, who could read and change the keys in it",
                hint="choose a folder of your own with --state-dir, or give this one to the user that runs this",
            )
        if stat.S_IMODE(found.st_mode) & 0o077:
            folder.chmod(0o700)


def _make_private_file(path: Path) -> None:
    """Before it is made for everybody to read.

    One that exists is never opened here: closing it would drop the locks that this process's connections hold on it.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(0o600)
