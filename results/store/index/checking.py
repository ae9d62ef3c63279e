"""Compare the index with the run folders, read anew: every run, every completion, every sum."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa

from results.errors import ResultsError
from results.store.index import run_reader, schema
from results.store.index.database import index_errors
from results.store.index.files import signature_of, signatures
from results.store.index.numbers import tags_by_number
from results.store.index.run_reader import ReadTo
from results.store.reading.folder_run_store import FolderRunStore
from results.store.reading.queries import counts
from results.store.reading.run_files import folder_of
from results.store.reading.run_row import RunRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from results.store.index.database import IndexDatabase
    from results.store.run_folder import RunFolder

_Key = tuple[str, int]
_row_of = msgspec.json.Decoder(RunRow).decode


class Check:
    """One comparison. Runs that change meanwhile are left out. Raises ResultsError if the index can't be read."""

    def __init__(self, database: IndexDatabase) -> None:
        self._database = database
        self._folders = FolderRunStore(database.results_dir)
        self._sums: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)  # by benchmark and sample
        self._changed = False

    def disagreements(
        self, said: Callable[[int, int], None] = lambda _done, _of: None
    ) -> Iterator[tuple[str, str]]:
        """What disagrees, a run or a benchmark by its name, and how. said: called with runs checked, of how many."""
        if damage := self._database.check_whole():
            yield self._database.where, f"the database is damaged: {damage}"
            return
        with index_errors(), self._database.engine.connect() as connection:
            there = signatures(self._database.results_dir)
            known = {
                row.run_id: row
                for row in connection.execute(sa.select(schema.runs).order_by(schema.runs.c.run_id))
            }
            skipped = dict(
                connection.execute(sa.select(schema.skipped.c.name, schema.skipped.c.reason)).all()
            )
            reasons = self._folders.skipped()
            for number, name in enumerate(sorted({*there, *known, *skipped})):
                row = known.get(name)
                found = self._of_name(connection, name, row, skipped.get(name), reasons.get(name))
                now = signature_of(self._database.results_dir, name)
                if now != there.get(name, "") or (row is not None and now and row.signature != now):
                    self._changed = True  # since the index was refreshed
                elif found:
                    yield name, found
                said(number + 1, len(there))
            if not self._changed:
                yield from self._of_sums(connection)

    def _of_name(
        self, connection: sa.Connection, name: str, row: Any, skipped: str | None, reason: str | None
    ) -> str:
        if skipped is not None or reason is not None:
            return "" if skipped == reason else f"left out for {skipped!r}, and should be for {reason!r}"
        facts = self._folders.row(name)
        if row is None or facts is None:
            return "" if row is facts else f"it is {'missing' if row is None else 'there, and has no folder'}"
        try:
            if _row_of(row.facts) != facts:
                return "what is said of the run differs"
        except msgspec.MsgspecError as error:
            return f"what is said of the run can't be read: {error}"
        folder = folder_of(self._database.results_dir, name)
        return "" if folder is None else self._of_completions(connection, folder, row, facts)

    def _of_completions(self, connection: sa.Connection, folder: RunFolder, row: Any, facts: RunRow) -> str:
        asked_at = run_reader.prompts_at(folder)
        expected: dict[_Key, tuple[Any, ...]] = {}
        odd = ""
        for chunk in run_reader.chunks(folder, ReadTo()):
            odd = chunk.odd
            for (task_id, index), (place, line) in chunk.lines.items():
                values = run_reader.sample_row(
                    row.run, 0, None, place=place, asked_at=asked_at.get(task_id), line=line
                )
                expected[task_id, index] = (*values[3:5], line.tags, *values[6:])
        if odd:
            expected = {}
        if (odd != "") != (row.odd != ""):
            return "whether its completions can be counted differs"
        tags_of = tags_by_number(connection)
        columns, tasks = schema.samples.c, schema.tasks.c
        there = {
            (each.task_id, each.idx): (
                each.outcome, each.flags, tags_of.get(each.tag_set, {}), each.place, each.asked_at,
                each.prompt_tokens, each.completion_tokens, each.request_s, each.cost_usd,
            )
            for each in connection.execute(
                sa.select(schema.samples, tasks.task_id)
                .join(schema.tasks, tasks.task == columns.task)
                .where(columns.run == row.run)
            )
        }  # fmt: skip
        should = counts(facts) and not odd
        if should:
            judged: set[str] = set()
            benchmark = schema.column_text(facts.benchmark)
            for (task_id, _), (outcome, *_) in expected.items():
                sums = self._sums[benchmark, task_id]
                if outcome != schema.LOST:
                    sums["judged"] += 1
                    sums["passed"] += outcome == schema.PASSED
                    judged.add(task_id)
            for task_id in judged:
                self._sums[benchmark, task_id]["runs"] += 1
        if there != expected:
            different = sum(there.get(key) != expected.get(key) for key in {**there, **expected})
            return f"{different} of {len(expected)} completions differ"
        if bool(row.counted) != should:
            return "whether it counts differs"
        return self._of_slices(connection, row, facts, sliced=not odd)

    def _of_slices(self, connection: sa.Connection, row: Any, facts: RunRow, *, sliced: bool) -> str:
        there = {(each.tag, each.value): each._asdict() for each in connection.execute(
            sa.select(schema.slices).where(schema.slices.c.run == row.run))}  # fmt: skip
        if facts.status != "succeeded" or not sliced:
            return "sums by tag are there, and should not be" if there and not sliced else ""
        rows = connection.execute(sa.select(schema.samples).where(schema.samples.c.run == row.run))
        expected = run_reader.slice_rows(row.run, map(tuple, rows), tags_by_number(connection))
        if there != {(each["tag"], each["value"]): each for each in expected}:
            return "its sums by tag differ"
        return ""

    def _of_sums(self, connection: sa.Connection) -> Iterator[tuple[str, str]]:
        columns = schema.tasks.c
        different: Counter[str] = Counter()
        for row in connection.execute(
            sa.select(schema.tasks).where(columns.judged + columns.runs + columns.passed != 0)
        ):
            sums = self._sums.pop((row.benchmark, row.task_id), Counter())
            if (row.runs, row.passed, row.judged) != (sums["runs"], sums["passed"], sums["judged"]):
                different[row.benchmark] += 1
        for (benchmark, _), sums in self._sums.items():
            different[benchmark] += sums.total() > 0
        for benchmark, count in sorted((+different).items()):
            yield benchmark, f"the sums of {count} problems differ"


def require_index(database: IndexDatabase) -> None:
    """Raise ResultsError unless an index of this version is there."""
    if not database.is_there():
        raise ResultsError(
            f"there is no index of {database.results_dir}, or it is of another version or damaged",
            hint="`bench_runner.py index rebuild` makes one; `serve` makes its own",
        )
