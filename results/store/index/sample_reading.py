"""What the index has of one run's completions."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from results.records import Outcome
from results.store.index import schema
from results.store.index.schema import column_text
from results.store.reading import queries
from results.store.reading.problems import GridCell, cells_of, outcomes_of
from results.store.reading.run_files import completions_at, folder_of
from results.store.run_store import SamplePage, SampleQuery, SampleRow
from results.store.verdicts import CompletionVerdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.records import Completion
    from results.store.index.database import IndexDatabase
    from results.store.index.run_entries import Entries, Entry

_MOST_COLUMNS = 48  # of grids, kept in memory


class SampleReading:
    """Safe to use from several threads. Every method raises SQLAlchemy's DatabaseError."""

    def __init__(self, database: IndexDatabase, entries: Entries) -> None:
        self._database = database
        self._entries = entries
        self._lock = threading.Lock()
        self._columns: OrderedDict[tuple[str, str, str, str], dict[str, GridCell]] = OrderedDict()

    def verdicts(self, entry: Entry) -> list[CompletionVerdict]:
        """In the order of the samples."""
        return [self._verdict(row) for row in self._samples(entry)]

    def outcomes(self, entry: Entry, tag: str = "", value: str = "") -> dict[str, tuple[Outcome, ...]]:
        """How each sample's completions ended, by index."""
        columns = schema.samples.c
        asked = (
            sa.select(columns.task, columns.outcome, columns.tag_set)
            .where(columns.run == entry.run)
            .order_by(columns.run, columns.task, columns.idx)
        )
        with self._database.engine.connect() as connection:
            there = connection.execute(asked).all()
        names = self._entries.task_ids(entry.row.benchmark, {task for task, _, _ in there})
        if tag:
            sets = {tag_set for _, _, tag_set in there}
            wanted = {each for each in sets if self._entries.tags_in(each).get(tag) == value}
            there = [row for row in there if row[2] in wanted]
        outcomes = schema.OUTCOMES
        return outcomes_of((names[task], outcomes[outcome]) for task, outcome, _ in there)

    def _samples(
        self, entry: Entry, *, outcome: Outcome | None = None, limit: int | None = None, offset: int = 0
    ) -> list[Any]:
        """Rows of the run's completions, in the order of the samples."""
        columns, tasks = schema.samples.c, schema.tasks.c
        asked = (
            sa.select(schema.samples, tasks.task_id)
            .join(schema.tasks, tasks.task == columns.task)
            .where(columns.run == entry.run)
            .order_by(tasks.head, tasks.number, tasks.task_id, columns.idx)
        )
        if outcome is not None:
            asked = asked.where(columns.outcome == schema.NUMBER_OF[outcome])
        if limit is not None:
            asked = asked.limit(limit).offset(offset)
        with self._database.engine.connect() as connection:
            return [*connection.execute(asked)]

    def page(self, entry: Entry, query: SampleQuery) -> SamplePage:
        folder = folder_of(self._database.results_dir, entry.row.run_id)
        there: Sequence[Any]
        if query.tag or query.text:
            rows = self._samples(entry, outcome=query.outcome)
            if query.tag:
                rows = [
                    row for row in rows if self._entries.tags_in(row.tag_set).get(query.tag) == query.value
                ]
            wanted = query.text.casefold()
            rows = [row for row in rows if wanted in row.task_id.casefold()]
            total = len(rows)
            there, following = queries.page(rows, query.limit, query.cursor)
        else:
            total = self._count(entry, query.outcome)
            start, end, following = queries.window(total, query.limit, query.cursor)
            there = self._samples(entry, outcome=query.outcome, limit=end - start, offset=start)
        if folder is None:
            return SamplePage((), 0)
        details = completions_at(folder, [row.place for row in there])
        found = tuple(
            self._sample_row(row, completion) for row, completion in zip(there, details, strict=True)
        )
        return SamplePage(found, total, following)

    def _count(self, entry: Entry, outcome: Outcome | None) -> int:
        columns = schema.samples.c
        asked = sa.select(sa.func.count()).where(columns.run == entry.run)
        if outcome is not None:
            asked = asked.where(columns.outcome == schema.NUMBER_OF[outcome])
        with self._database.engine.connect() as connection:
            return int(connection.execute(asked).scalar_one())

    def _sample_row(self, row: Any, completion: Completion | None) -> SampleRow:
        return SampleRow(
            task_id=row.task_id,
            index=row.idx,
            outcome=schema.OUTCOMES[row.outcome],
            detail=completion.detail if completion is not None else "",
            tags=self._entries.tags_in(row.tag_set),
            prompt_tokens=row.prompt_tokens,
            completion_tokens=row.completion_tokens,
            request_s=row.request_s,
            cost_usd=row.cost_usd,
            near_time_limit=bool(row.flags & schema.Flag.NEAR_TIME_LIMIT),
        )

    def _verdict(self, row: Any) -> CompletionVerdict:
        outcome = schema.OUTCOMES[row.outcome]
        return CompletionVerdict(
            task_id=row.task_id,
            outcome=outcome,
            index=row.idx,
            passed=outcome is Outcome.PASSED,
            near_time_limit=bool(row.flags & schema.Flag.NEAR_TIME_LIMIT),
            tags=self._entries.tags_in(row.tag_set),
            cost_usd=row.cost_usd,
            cached=bool(row.flags & schema.Flag.CACHED),
        )

    def place(self, entry: Entry, task_id: str, index: int | None) -> tuple[int, int | None] | None:
        """Where the completion and its prompt begin. index: None for any."""
        columns, tasks = schema.samples.c, schema.tasks.c
        asked = (
            sa.select(columns.place, columns.asked_at)
            .join(schema.tasks, tasks.task == columns.task)
            .where(
                columns.run == entry.run,
                tasks.task_id == task_id.replace("\0", ""),
                tasks.benchmark == column_text(entry.row.benchmark),
            )
            .limit(1)
        )
        if index is not None:
            if not 0 <= index < 1 << 31:
                return None
            asked = asked.where(columns.idx == index)
        with self._database.engine.connect() as connection:
            found = connection.execute(asked).first()
        return None if found is None else (found.place, found.asked_at)

    def column(self, entry: Entry, tag: str, value: str) -> dict[str, GridCell]:
        """The cells of one run, by problem."""
        key = (entry.row.run_id, entry.content, tag, value)
        with self._lock:
            if (kept := self._columns.get(key)) is not None:
                self._columns.move_to_end(key)
                return kept
        cells = cells_of(self.outcomes(entry, tag, value))
        with self._lock:
            self._columns[key] = cells
            if len(self._columns) > _MOST_COLUMNS:
                self._columns.popitem(last=False)
        return cells
