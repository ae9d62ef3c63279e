"""`RunStore` from the index. What it can't answer, because it is damaged or a run is odd, the folders answer."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError

from results.errors import ResultsError
from results.records import RunStatus
from results.store.index import schema
from results.store.index.database import is_damage
from results.store.index.indexer import Indexer
from results.store.index.kept_tests import KeptTests
from results.store.index.run_entries import Entries
from results.store.index.sample_reading import SampleReading
from results.store.index.task_reading import TaskReading
from results.store.reading import queries
from results.store.reading.folder_run_store import FolderRunStore, slim, verdicts_in
from results.store.reading.problems import cells_of
from results.store.reading.run_files import completion_at, folder_of, prompt_at, prompt_in
from results.store.run_store import SamplePage, SampleQuery, TaskCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from results.prompts.sent_prompts import SentPrompt
    from results.records import Completion, Outcome, RunRecord
    from results.store.index.database import IndexDatabase
    from results.store.index.run_entries import Entry
    from results.store.reading.problems import GridCell
    from results.store.reading.run_row import RunRow
    from results.store.run_folder import RunFolder
    from results.store.run_store import BenchmarkRuns, GridPage, GridQuery, RunPage, RunQuery, TagCounts
    from results.store.verdicts import CompletionVerdict

_T = TypeVar("_T")
_FAILED = (DatabaseError, msgspec.MsgspecError, UnicodeDecodeError, IndexError)
_LOOK_S = 2.0  # for another look to end
_MOST_RECORDS = 2000  # kept in memory


class SqlRunStore:
    """The runs of the index. `refresh` brings it up to date; `opening.Following` does so as long as it is open.

    damaged: how the index failed otherwise than by being busy, so that it must be made anew; empty if it didn't.
    """

    def __init__(self, database: IndexDatabase) -> None:
        self.database = database
        self.indexer = Indexer(database)
        self.damaged = ""
        self._folders = FolderRunStore(database.results_dir)
        self._entries = Entries(database)
        self._samples = SampleReading(database, self._entries)
        self._tasks = TaskReading(database, self._entries)
        self._kept = KeptTests(database, self._entries)
        self._records: dict[str, tuple[str, RunRecord]] = {}

    @property
    def results_dir(self) -> Path:
        return self.database.results_dir

    def refresh(self, *, within_s: float | None = 0) -> bool:
        """Read what has changed in the folders. False if another process is at it. Raises ResultsError."""
        return self.indexer.refresh(within_s=within_s)

    def version(self) -> str:
        return self._try(lambda: self._entries.synced()[0], self._folders.version)

    def runs(self, query: RunQuery) -> RunPage:
        return self._try(
            lambda: queries.run_page(self._entries.rows(), query), lambda: self._folders.runs(query)
        )

    def rows(self) -> Sequence[RunRow]:
        return self._try(self._entries.rows, self._folders.rows)

    def row(self, run_id: str) -> RunRow | None:
        def found() -> RunRow | None:
            entry = self._entry(run_id)
            return entry.row if entry is not None else None

        return self._try(found, lambda: self._folders.row(run_id))

    def folder(self, run_id: str) -> RunFolder | None:
        return folder_of(self.results_dir, run_id) if self.row(run_id) is not None else None

    def record(self, run_id: str) -> RunRecord | None:
        folder = self.folder(run_id)
        return folder.read_record() if folder is not None else None

    def records(self) -> Iterator[tuple[RunFolder, RunRecord]]:
        nothing: dict[str, Entry] = {}
        entries = self._try(lambda: self._entries.synced()[1], lambda: nothing)
        if not entries:
            yield from self._folders.records()
        for run_id, entry in entries.items():
            folder = folder_of(self.results_dir, run_id)
            key = f"{entry.content} {entry.revision}"
            kept = self._records.get(run_id)
            if folder is None:
                continue
            if kept is None or kept[0] != key:
                try:
                    kept = key, slim(folder.read_record())
                except ResultsError:
                    continue
                if len(self._records) >= _MOST_RECORDS:
                    self._records.clear()
                self._records[run_id] = kept
            yield folder, kept[1]

    def skipped(self) -> Mapping[str, str]:
        def found() -> dict[str, str]:
            with self.database.engine.connect() as connection:
                there = connection.execute(sa.select(schema.skipped.c.name, schema.skipped.c.reason))
                return {row.name: row.reason for row in there}

        return self._try(found, self._folders.skipped)

    def benchmarks(self) -> tuple[BenchmarkRuns, ...]:
        return self._try(lambda: queries.benchmark_runs(self._entries.rows()), self._folders.benchmarks)

    def verdicts(self, run_id: str) -> Sequence[CompletionVerdict]:
        def found(entry: Entry) -> Sequence[CompletionVerdict]:
            if not entry.plain:
                return verdicts_in(folder_of(self.results_dir, run_id))
            return self._samples.verdicts(entry)

        return self._of_run(run_id, found, [], lambda: self._folders.verdicts(run_id))

    def outcomes(self, run_id: str, tag: str = "", value: str = "") -> Mapping[str, Sequence[Outcome]]:
        nothing: Mapping[str, Sequence[Outcome]] = {}
        return self._of_run(
            run_id,
            lambda entry: self._samples.outcomes(entry, tag, value),
            nothing,
            lambda: self._folders.outcomes(run_id, tag, value),
        )

    def samples(self, run_id: str, query: SampleQuery) -> SamplePage:
        return self._of_run(
            run_id,
            lambda entry: self._samples.page(entry, query),
            SamplePage((), 0),
            lambda: self._folders.samples(run_id, query),
        )

    def sample(self, run_id: str, task_id: str, index: int = 0) -> Completion | None:
        def found(entry: Entry) -> Completion | None:
            place = self._samples.place(entry, task_id, index)
            folder = folder_of(self.results_dir, run_id)
            return None if place is None or folder is None else completion_at(folder, place[0])

        return self._of_run(run_id, found, None, lambda: self._folders.sample(run_id, task_id, index))

    def prompt(self, run_id: str, task_id: str) -> SentPrompt | None:
        def found(entry: Entry) -> SentPrompt | None:
            place = self._samples.place(entry, task_id, None)
            folder = folder_of(self.results_dir, run_id)
            if folder is None or place is None or place[1] is None:
                return prompt_in(folder, task_id) if folder is not None else None
            there = prompt_at(folder, place[1])
            return there if there is not None and there.task_id == task_id else prompt_in(folder, task_id)

        return self._of_run(run_id, found, None, lambda: self._folders.prompt(run_id, task_id))

    def grid(self, query: GridQuery) -> GridPage:
        def found() -> GridPage:
            runs = queries.columns_of(query, self._entries.row)
            columns = [self._column(run.run_id, query) for run in runs]
            return queries.grid_page(query, runs, columns)

        return self._try(found, lambda: self._folders.grid(query))

    def hardest(self, benchmark: str, limit: int = 100) -> tuple[TaskCounts, ...]:
        return self._try(
            lambda: self._tasks.hardest(benchmark, limit), lambda: self._folders.hardest(benchmark, limit)
        )

    def flipped(self, benchmark: str, limit: int = 100) -> tuple[TaskCounts, ...]:
        return self._try(
            lambda: self._tasks.flipped(benchmark, limit), lambda: self._folders.flipped(benchmark, limit)
        )

    def tags(self, benchmark: str) -> Mapping[str, tuple[str, ...]]:
        return self._try(lambda: self._tasks.tags(benchmark), lambda: self._folders.tags(benchmark))

    def by_tag(
        self, benchmark: str, tag: str, run_ids: Collection[str] | None = None
    ) -> tuple[TagCounts, ...]:
        return self._try(
            lambda: self._tasks.by_tag(benchmark, tag, run_ids),
            lambda: self._folders.by_tag(benchmark, tag, run_ids),
        )

    def kept_tests(self, first: str, others: Sequence[str], what: str) -> Mapping[str, bytes]:
        return self._try(
            lambda: self._kept.get(first, others, what), lambda: self._folders.kept_tests(first, others, what)
        )

    def keep_tests(self, first: str, what: str, found: Mapping[str, bytes]) -> None:
        self._try(
            lambda: self._kept.put(first, what, found), lambda: self._folders.keep_tests(first, what, found)
        )

    def _try(self, ask: Callable[[], _T], instead: Callable[[], _T]) -> _T:
        """Ask the index; the folders where it fails, or is of another results folder."""
        if self.database.is_other:
            return instead()
        try:
            return ask()
        except _FAILED as error:
            if not isinstance(error, DatabaseError) or is_damage(error):
                self.damaged = self.damaged or str(error).partition("\n")[0] or "unknown"
            self._entries.forget()
            return instead()

    def _of_run(self, run_id: str, ask: Callable[[Entry], _T], unknown: _T, instead: Callable[[], _T]) -> _T:
        """The same of one run; the folder also where the run is odd."""

        def found() -> _T:
            entry = self._entry(run_id)
            if entry is None:
                return unknown
            return instead() if entry.odd else ask(entry)

        return self._try(found, instead)

    def _entry(self, run_id: str) -> Entry | None:
        """As it is now, if the run has ended since the last look: its results are asked for once its end is told."""
        entry = self._entries.get(run_id)
        if entry is None or entry.row.status is not RunStatus.STARTED:
            return entry
        folder = folder_of(self.results_dir, run_id)
        with contextlib.suppress(ResultsError):
            if folder is not None and folder.read_record().status is not RunStatus.STARTED:
                self.indexer.follow_running(within_s=_LOOK_S)
                return self._entries.get(run_id)
        return entry

    def _column(self, run_id: str, query: GridQuery) -> dict[str, GridCell]:
        entry = self._entries.get(run_id)
        if entry is None or entry.odd:
            return cells_of(self._folders.lenient_outcomes(run_id, query.tag, query.value))
        return self._samples.column(entry, query.tag, query.value)
