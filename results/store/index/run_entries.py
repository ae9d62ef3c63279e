"""The runs of the index as this process knows them; only what changed is read again."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from results.store.index import schema
from results.store.index.schema import column_text
from results.store.reading.run_row import RunRow

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Set as AbstractSet

    from results.store.index.database import IndexDatabase

_MOST_TAG_SETS = 50_000  # kept in memory
_MOST_TASKS = 50_000  # kept in memory
_row_of = msgspec.json.Decoder(RunRow).decode
_tags_of = msgspec.json.Decoder(dict[str, str]).decode


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A run as this process knows it."""

    run: int
    revision: int
    content: str
    odd: bool
    plain: bool
    row: RunRow


class Entries:
    """Safe to use from several threads. Every method raises SQLAlchemy's DatabaseError."""

    def __init__(self, database: IndexDatabase) -> None:
        self._database = database
        self._lock = threading.RLock()
        self._version = ""
        self._entries: dict[str, Entry] = {}
        self._tags: dict[int, dict[str, str]] = {}
        self._task_ids: dict[str, dict[int, str]] = {}

    def forget(self) -> None:
        """Read everything again, because the index failed."""
        with self._lock:
            self._version, self._entries, self._tags, self._task_ids = "", {}, {}, {}

    def get(self, run_id: str) -> Entry | None:
        return self.synced()[1].get(run_id)

    def rows(self) -> list[RunRow]:
        """Oldest first."""
        return [entry.row for entry in self.synced()[1].values()]

    def row(self, run_id: str) -> RunRow | None:
        entry = self.get(run_id)
        return entry.row if entry is not None else None

    def synced(self) -> tuple[str, dict[str, Entry]]:
        """The version, and the runs as they are in it, oldest first."""
        with self._database.engine.connect() as connection:
            version = self._database.version(connection)
            with self._lock:
                if version != self._version:
                    self._entries = self._read_entries(connection)
                    self._version = version
                return self._version, self._entries

    def _read_entries(self, connection: sa.Connection) -> dict[str, Entry]:
        """Only what changed is read whole."""
        if _index_of(self._version) != _index_of(self._database.version(connection)):
            self.forget()  # it was made anew, with other numbers
        before = {entry.run: entry for entry in self._entries.values()}
        columns = schema.runs.c
        there = connection.execute(sa.select(columns.run, columns.revision).order_by(columns.run_id)).all()
        new = [
            run for run, revision in there if (kept := before.get(run)) is None or kept.revision != revision
        ]
        read = {}
        for start in range(0, len(new), 500):
            asked = sa.select(
                columns.run, columns.revision, columns.content, columns.odd, columns.plain, columns.facts
            ).where(columns.run.in_(new[start : start + 500]))
            for row in connection.execute(asked):
                facts = _row_of(row.facts)
                read[row.run] = Entry(row.run, row.revision, row.content, bool(row.odd), row.plain, facts)
        found = (read.get(run) or before.get(run) for run, _ in there)
        return {entry.row.run_id: entry for entry in found if entry is not None}

    def task_ids(self, benchmark: str, wanted: AbstractSet[int]) -> Mapping[int, str]:
        """The ids of these samples of the benchmark, and of others, by their numbers."""
        with self._lock:
            known = self._task_ids.get(benchmark, {})
            if not wanted <= known.keys():
                columns = schema.tasks.c
                asked = sa.select(columns.task, columns.task_id).where(
                    columns.benchmark == column_text(benchmark)
                )
                with self._database.engine.connect() as connection:
                    known = {row.task: row.task_id for row in connection.execute(asked)}
                if sum(map(len, self._task_ids.values())) > _MOST_TASKS:
                    self._task_ids.clear()
                self._task_ids[benchmark] = known
            return known

    def tags_in(self, tag_set: int | None) -> dict[str, str]:
        """The tags of a set by its number."""
        if tag_set is None:
            return {}
        with self._lock:
            if (kept := self._tags.get(tag_set)) is None:
                with self._database.engine.connect() as connection:
                    found = connection.execute(
                        sa.select(schema.tag_sets.c.tags).where(schema.tag_sets.c.tag_set == tag_set)
                    ).scalar()
                if len(self._tags) >= _MOST_TAG_SETS:
                    self._tags.clear()
                kept = self._tags[tag_set] = _tags_of(found or "{}")
            return kept


def _index_of(version: str) -> str:
    return version.partition("-")[0]
