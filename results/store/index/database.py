"""The database of the index: opened, made new where it is of another version or damaged, written by one at a time."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import uuid
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.schema import CreateSchema, DropSchema

from results.durable import explained
from results.errors import ResultsError
from results.locks import lock
from results.store.index import schema
from results.store.index.folder_id import folder_id
from results.store.sql import INDEX_NAME, open_engine, sqlite_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_LOCK_NAME = ".index.lock"
_PG_LOCK = 0x69_6E64_6578  # names our advisory lock: not the queue's, whose decisions never wait for an index
_VERSION = sa.select(schema.meta.c.name, schema.meta.c.value).where(
    schema.meta.c.name.in_(("uid", "revision"))
)
_DAMAGED = (
    "malformed",
    "not a database",
    "disk i/o error",
    "no such table",
    "no such column",
    "does not exist",
)


class OtherFolder(ResultsError):
    """The index in the database is that of another results folder."""


class IndexDatabase:
    """In the file `.index.sqlite3` of the results folder, or in a PostgreSQL database. Safe to use from several threads
    and processes.

    is_other: whether the index in PostgreSQL was last found to be of another results folder.
    """

    def __init__(self, results_dir: Path, database_url: str | None = None) -> None:
        """Nothing is opened yet. Raises UsageError for a URL that is none, ResultsError if SQLAlchemy is missing."""
        self.results_dir = results_dir
        self.is_other = False
        self.file = None if database_url else results_dir / INDEX_NAME
        self._url = database_url or sqlite_url(results_dir / INDEX_NAME)
        self._engine: sa.Engine | None = None
        self._lock = threading.Lock()

    @property
    def engine(self) -> sa.Engine:
        with self._lock:
            if self._engine is None:
                engine = open_engine(self._url)
                if engine.dialect.name == "postgresql":
                    sa.event.listen(engine, "connect", _prepare_postgresql)
                    engine = engine.execution_options(schema_translate_map={None: schema.SCHEMA})
                else:
                    sa.event.listen(engine, "connect", _prepare_sqlite)
                self._engine = engine
            return self._engine

    @property
    def where(self) -> str:
        """For people."""
        return (
            str(self.file)
            if self.file is not None
            else f"the schema {schema.SCHEMA} of the PostgreSQL database"
        )

    def is_there(self) -> bool:
        """Whether an index of this version is there. A damaged one is not."""
        if self.file is not None and not self.file.is_file():
            return False
        try:
            with self.engine.connect() as connection:
                return self._meta(connection, "version") == schema.VERSION
        except DatabaseError:
            return False

    @contextlib.contextmanager
    def writing(self, *, within_s: float | None = None) -> Iterator[bool]:
        """Be the only writer of runs until the block ends. Yields whether that is so: within_s, if given, is how long
        to wait for another one. Makes the tables first, if there are none of this version. Raises ResultsError, and
        OtherFolder before anything is changed.
        """
        with contextlib.ExitStack() as held:
            if self.file is not None:
                with explained("write", self.file):
                    held_lock = held.enter_context(lock(self.results_dir / _LOCK_NAME, within_s=within_s))
                ours = held_lock is not None
            else:
                ours = held.enter_context(self._postgresql_lock(wait=within_s is None))
            there = self.is_there() if ours or self.file is None else True
            if ours and not there:
                self.make_new()
            elif there and self.file is None:
                self._require_this_folder(ours=ours)
            yield ours

    def _require_this_folder(self, *, ours: bool) -> None:
        """Two folders that wrote one index would forget each other's runs without end."""
        this = folder_id(self.results_dir)
        with index_errors(), self.engine.begin() as connection:
            other = self._meta(connection, "folder")
            if other is None and ours:  # made by an earlier version
                connection.execute(schema.meta.insert().values(name="folder", value=this))
        self.is_other = other not in {None, this}
        if self.is_other:
            raise OtherFolder(
                f"{self.where} is the index of another results folder than {self.results_dir}",
                hint="give each results folder a database of its own with --database; after "
                f"`DROP SCHEMA {schema.SCHEMA} CASCADE` there, this folder's index can be made in it",
            )

    def make_new(self) -> None:
        """Make the tables anew, empty; only inside `writing`. A damaged file is removed first."""
        with index_errors():
            if self.file is not None and self.file.exists() and self.check_whole():
                self._remove()
            try:
                self._make_new()
            except DatabaseError:
                if self.file is None:
                    raise
                self._remove()
                self._make_new()

    def _remove(self) -> None:
        self.dispose()
        for ending in ("", "-wal", "-shm"):
            (self.results_dir / (INDEX_NAME + ending)).unlink(missing_ok=True)

    def _make_new(self) -> None:
        this = folder_id(self.results_dir) if self.file is None else ""
        with self.engine.begin() as connection:
            if self.file is None:
                connection.execute(DropSchema(schema.SCHEMA, cascade=True, if_exists=True))
                connection.execute(CreateSchema(schema.SCHEMA))
            else:
                _drop_all(connection)
            schema.metadata.create_all(connection, checkfirst=False)
            at = f"{schema.SCHEMA}." if self.file is None else ""
            for name, select in schema.views(postgresql=self.file is None):
                connection.exec_driver_sql(f"CREATE VIEW {at}{name} AS {select}")
            connection.execute(
                schema.meta.insert(),
                [
                    {"name": "uid", "value": uuid.uuid4().hex[:12]},
                    {"name": "revision", "value": "0"},
                    {"name": "recount", "value": ""},
                    {"name": "folder", "value": this},
                    {"name": "version", "value": schema.VERSION},  # last: with it the index counts
                ],
            )
        self.is_other = False

    def dispose(self) -> None:
        """Close all connections that nobody uses."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None

    def version(self, connection: sa.Connection) -> str:
        """A text that changes with every change of the index."""
        found = connection.execute(_VERSION)
        values = {row.name: row.value for row in found}
        return f"{values.get('uid')}-{values.get('revision')}"

    def _meta(self, connection: sa.Connection, name: str) -> str | None:
        found = connection.execute(sa.select(schema.meta.c.value).where(schema.meta.c.name == name)).scalar()
        return None if found is None else str(found)

    def meta(self, connection: sa.Connection, name: str) -> str:
        return self._meta(connection, name) or ""

    def set_meta(self, connection: sa.Connection, name: str, value: str) -> None:
        connection.execute(schema.meta.update().where(schema.meta.c.name == name).values(value=value))

    def insert_samples(self, connection: sa.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Add completions, in the order of the columns; in the fastest way that each database has."""
        if not rows:
            return
        names = ", ".join(column.name for column in schema.samples.columns)
        if self.file is None:
            driver: Any = connection.connection.driver_connection
            with (
                driver.cursor() as cursor,
                cursor.copy(f"COPY {schema.SCHEMA}.samples ({names}) FROM STDIN") as copy,
            ):
                for row in rows:
                    copy.write_row(row)
            return
        marks = ", ".join("?" * len(schema.samples.columns))
        connection.exec_driver_sql(f"INSERT INTO samples ({names}) VALUES ({marks})", [*rows])  # noqa: S608 - constants

    def upsert_samples(self, connection: sa.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """The same where some may be there already; those are replaced."""
        if rows:
            names = [column.name for column in schema.samples.columns]
            values = [dict(zip(names, row, strict=True)) for row in rows]
            connection.execute(self.upsert(schema.samples), values)

    def upsert(self, table: sa.Table) -> sa.Insert:
        """Inserts rows, or replaces those with the same key."""
        if self.file is None:
            from sqlalchemy.dialects.postgresql import insert
        else:
            from sqlalchemy.dialects.sqlite import insert  # type: ignore[assignment]

        new = insert(table)
        return new.on_conflict_do_update(
            index_elements=[column.name for column in table.primary_key],
            set_={
                column.name: new.excluded[column.name] for column in table.columns if not column.primary_key
            },
        )

    def check_whole(self) -> str:
        """What is wrong with the database itself; empty if nothing. Takes part of a second for a million of them."""
        try:
            with self.engine.connect() as connection:
                for table in schema.metadata.sorted_tables:
                    connection.execute(sa.select(table).limit(1)).first()
                if self.file is None:
                    return ""
                found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA quick_check(5)")]
        except DatabaseError as error:
            return str(error.orig)
        return "" if found == ["ok"] else "; ".join(found)

    @contextlib.contextmanager
    def _postgresql_lock(self, *, wait: bool) -> Iterator[bool]:
        with index_errors(), self.engine.connect() as connection:
            if wait:
                connection.exec_driver_sql(f"SELECT pg_advisory_lock({_PG_LOCK})")
                ours = True
            else:
                ours = bool(connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({_PG_LOCK})").scalar())
            connection.commit()
            try:
                yield ours
            finally:
                if ours:
                    connection.exec_driver_sql(f"SELECT pg_advisory_unlock({_PG_LOCK})")
                    connection.commit()


@contextlib.contextmanager
def index_errors() -> Iterator[None]:
    """Turn an error of the database into a ResultsError."""
    try:
        yield
    except DatabaseError as error:
        raise ResultsError(
            f"the index of the runs can't be used: {str(error.orig).splitlines()[0] if error.orig else error}",
            hint="`bench_runner.py index rebuild` makes it anew from the run folders",
        ) from error


def is_damage(error: DatabaseError) -> bool:
    """Whether the index is damaged or of another version, and not only busy."""
    said = str(error.orig).lower()
    if any(words in said for words in _DAMAGED):
        return True
    return isinstance(error.orig, sqlite3.DatabaseError) and not isinstance(error, OperationalError)


def _drop_all(connection: sa.Connection) -> None:
    there = connection.exec_driver_sql(
        "SELECT type, name FROM sqlite_master WHERE type IN ('view', 'table') AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    for kind, name in sorted(there, reverse=True):
        quoted = str(name).replace('"', '""')
        connection.exec_driver_sql(f'DROP {kind} IF EXISTS "{quoted}"')


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # It can be made anew at any time: a power cut may lose the last changes, never the file's consistency.
    for pragma in ("synchronous=NORMAL", "cache_size=-8000", "journal_size_limit=4194304"):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_postgresql(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET jit = off")
    connection.commit()
