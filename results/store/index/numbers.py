"""The numbers that stand for runs, samples of a benchmark and sets of tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from results.json_text import encode
from results.store.index import schema
from results.store.index.run_reader import place_in_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MOST = 50_000  # that are remembered between two refreshes


class Numbers:
    """Gives new ones, which only one process at a time may do, and remembers those that were given."""

    def __init__(self) -> None:
        self._tasks: dict[str, dict[str, int]] = {}
        self._tag_sets: dict[str, int] | None = None
        self.tags_of: dict[int | None, Mapping[str, str]] = {}
        self._next: dict[str, int] = {}

    def new_run(self, connection: sa.Connection) -> int:
        return self._new(connection, schema.runs.c.run)

    def tasks(self, connection: sa.Connection, benchmark: str, task_ids: Iterable[str]) -> Mapping[str, int]:
        """The numbers of these samples, and of others of the benchmark."""
        columns = schema.tasks.c
        if (known := self._tasks.get(benchmark)) is None:
            found = connection.execute(
                sa.select(columns.task_id, columns.task).where(columns.benchmark == benchmark)
            )
            known = self._tasks[benchmark] = {row.task_id: row.task for row in found}
        new = []
        for task_id in task_ids:
            if task_id not in known:
                known[task_id] = task = self._new(connection, columns.task)
                head, number = place_in_order(task_id)
                new.append(
                    {"task": task, "benchmark": benchmark, "task_id": task_id, "head": head, "number": number}
                )
        if new:
            connection.execute(schema.tasks.insert(), new)
        return known

    def tag_sets(self, connection: sa.Connection, sets: Iterable[Mapping[str, str]]) -> Mapping[str, int]:
        """The numbers of these sets of tags, by their JSON, and of others."""
        columns = schema.tag_sets.c
        if self._tag_sets is None:
            found = connection.execute(sa.select(columns.tags, columns.tag_set)).all()
            self._tag_sets = {row.tags: row.tag_set for row in found}
            self.tags_of = {row.tag_set: msgspec.json.decode(row.tags) for row in found}
        new = []
        for tags in sets:
            text = encode(tags).decode()
            if text not in self._tag_sets:
                self._tag_sets[text] = number = self._new(connection, columns.tag_set)
                self.tags_of[number] = tags
                new.append({"tag_set": number, "tags": text})
        if new:
            connection.execute(schema.tag_sets.insert(), new)
        return self._tag_sets

    def trim(self) -> None:
        """Forget what is much; it is read again where it is needed."""
        if sum(map(len, self._tasks.values())) > _MOST:
            self._tasks = {}
        if self._tag_sets is not None and len(self._tag_sets) > _MOST:
            self._tag_sets, self.tags_of = None, {}

    def _new(self, connection: sa.Connection, column: sa.Column[int]) -> int:
        name = column.table.name
        if name not in self._next:
            self._next[name] = (connection.execute(sa.select(sa.func.max(column))).scalar() or 0) + 1
        number = self._next[name]
        self._next[name] += 1
        return number


def tags_by_number(connection: sa.Connection) -> dict[int | None, dict[str, str]]:
    """All sets of tags."""
    found = connection.execute(sa.select(schema.tag_sets))
    return {row.tag_set: msgspec.json.decode(row.tags, type=dict[str, str]) for row in found}
