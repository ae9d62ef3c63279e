"""What the index has of a benchmark's problems and tags, over all runs that count."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import sqlalchemy as sa

from results.store.index import schema
from results.store.index.schema import column_text
from results.store.reading import queries
from results.store.run_store import TaskCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from results.store.index.database import IndexDatabase
    from results.store.index.run_entries import Entries
    from results.store.run_store import TagCounts


_T = TypeVar("_T")
_MOST_KEPT = 100  # answers to questions about all runs
_MOST_ASKED = 500  # runs of one question


class TaskReading:
    """Safe to use from several threads. Every method raises SQLAlchemy's DatabaseError."""

    def __init__(self, database: IndexDatabase, entries: Entries) -> None:
        self._database = database
        self._entries = entries
        self._lock = threading.Lock()
        self._version = ""
        self._kept: dict[tuple[object, ...], Any] = {}

    def hardest(self, benchmark: str, limit: int) -> tuple[TaskCounts, ...]:
        """Those that the fewest completions passed, with their tags."""
        return self._once(
            ("hardest", benchmark, limit),
            lambda: self._with_tags(benchmark, queries.hardest(self._of(benchmark), limit)),
        )

    def flipped(self, benchmark: str, limit: int) -> tuple[TaskCounts, ...]:
        """Those on which completions disagree most, with their tags."""
        return self._once(
            ("flipped", benchmark, limit),
            lambda: self._with_tags(benchmark, queries.flipped(self._of(benchmark), limit)),
        )

    def tags(self, benchmark: str) -> dict[str, tuple[str, ...]]:
        """By name, with their values."""
        return self._once(("tags", benchmark), lambda: self._tags(benchmark))

    def _once(self, what: tuple[object, ...], find: Callable[[], _T]) -> _T:
        """Ask once while nothing changes. The version is read first: what is found is never older than it."""
        version = self._entries.synced()[0]
        with self._lock:
            if version == self._version and what in self._kept:
                found: _T = self._kept[what]
                return found
        found = find()
        with self._lock:
            if version != self._version or len(self._kept) >= _MOST_KEPT:
                self._version, self._kept = version, {}
            self._kept[what] = found
        return found

    def _of(self, benchmark: str) -> list[TaskCounts]:
        """All problems that were judged, without their tags."""
        columns = schema.tasks.c
        asked = sa.select(columns.task_id, columns.runs, columns.passed, columns.judged).where(
            columns.benchmark == column_text(benchmark), columns.judged > 0
        )
        with self._database.engine.connect() as connection:
            return [
                TaskCounts(row.task_id, row.runs, row.passed, row.judged, {})
                for row in connection.execute(asked)
            ]

    def _with_tags(self, benchmark: str, tasks: Sequence[TaskCounts]) -> tuple[TaskCounts, ...]:
        """The same with the tags that the newest run gave each."""
        wanted = {task.task_id for task in tasks}
        tags: dict[str, dict[str, str]] = {}
        columns, known = schema.samples.c, schema.tasks.c
        counted = [
            entry
            for entry in reversed(self._entries.synced()[1].values())
            if entry.row.benchmark == benchmark and queries.counts(entry.row) and not entry.odd
        ]
        with self._database.engine.connect() as connection:
            for entry in counted:
                if not wanted:
                    break
                asked = (
                    sa.select(known.task_id, columns.tag_set)
                    .join(schema.tasks, known.task == columns.task)
                    .where(columns.run == entry.run, known.task_id.in_(wanted))
                    .order_by(columns.idx)
                )
                found = {row.task_id: self._entries.tags_in(row.tag_set) for row in connection.execute(asked)}
                tags |= found
                wanted -= found.keys()
        return tuple(msgspec.structs.replace(task, tags=tags.get(task.task_id, {})) for task in tasks)

    def _tags(self, benchmark: str) -> dict[str, tuple[str, ...]]:
        columns, runs = schema.slices.c, schema.runs.c
        asked = (
            sa.select(columns.tag, columns.value)
            .distinct()
            .join(schema.runs, runs.run == columns.run)
            .where(runs.counted, runs.benchmark == column_text(benchmark), columns.tag != "")
        )
        values: dict[str, list[str]] = {}
        with self._database.engine.connect() as connection:
            for tag, value in connection.execute(asked):
                values.setdefault(tag, []).append(value)
        return {tag: tuple(sorted(each)) for tag, each in sorted(values.items())}

    def by_tag(
        self, benchmark: str, tag: str, run_ids: Collection[str] | None = None
    ) -> tuple[TagCounts, ...]:
        """Newest run first, then by value. run_ids: only these."""
        if not tag:
            return ()
        columns, runs = schema.slices.c, schema.runs.c
        asked = (
            sa.select(schema.slices, runs.run_id)
            .join(schema.runs, runs.run == columns.run)
            .where(
                runs.counted, runs.benchmark == column_text(benchmark), columns.tag == tag.replace("\0", "")
            )
            .order_by(runs.run_id.desc(), columns.value)
        )
        entries = self._entries.synced()[1]
        if run_ids is not None and len(run_ids) <= _MOST_ASKED:
            asked = asked.where(columns.run.in_([entries[each].run for each in run_ids if each in entries]))
        elif run_ids is not None:
            entries = {run_id: entry for run_id, entry in entries.items() if run_id in run_ids}
        with self._database.engine.connect() as connection:
            there = connection.execute(asked).all()
        found = []
        for row in there:
            if (entry := entries.get(row.run_id)) is not None:
                outcomes = {outcome: getattr(row, str(outcome)) for outcome in schema.OUTCOMES}
                found.append(
                    queries.tag_counts(
                        entry.row,
                        row.value,
                        outcomes=outcomes,
                        samples=row.samples,
                        request_s=row.request_s / row.requests if row.requests else None,
                        completion_tokens=row.completion_tokens,
                        cost_usd=row.cost_usd,
                    )
                )
        return tuple(found)
