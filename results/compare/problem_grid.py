"""Every problem of a table and what each run made of it, and the answers to some of them."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from results.completion_lines import decode_completion
from results.durable import explained
from results.errors import BenchError
from results.files import open_to_read
from results.json_text import NOT_THAT_JSON
from results.records import Outcome
from results.store.answers import natural
from results.store.verdicts import read_verdicts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from results.compare.leaderboard import Table
    from results.records import Completion
    from results.store.run_folder import RunFolder


class Solved(enum.Enum):
    """By which runs, in the order of interest."""

    BY_SOME = "some"
    BY_NONE = "none"
    BY_ALL = "all"


class GridCell(NamedTuple):
    """A run's completions of one problem: how many passed, how many there are, and the outcome of the worst."""

    passed: int
    total: int
    outcome: Outcome


@dataclass(frozen=True)
class GridRow:
    """cells: in the order of the table's rows; None if the run wasn't asked."""

    task_id: str
    solved: Solved
    cells: tuple[GridCell | None, ...]

    @property
    def solvers(self) -> int:
        """How many runs solved it, in all of their completions."""
        return sum(cell is not None and cell.passed == cell.total for cell in self.cells)


_WORST = (
    Outcome.FAILED,
    Outcome.TRUNCATED,
    Outcome.NO_ANSWER,
    Outcome.INFRASTRUCTURE_ERROR,
    Outcome.PASSED,
)


def problem_grid(table: Table, *, warn: Callable[[str], None]) -> tuple[GridRow, ...]:
    """All problems, those on which runs differ first; () if no run has verdicts. warn: for files that can't be read."""
    columns = [_cells(row.folder, warn) for row in table.rows]
    tasks = dict.fromkeys(task for column in columns for task in column)
    rows = [_row(task, [column.get(task) for column in columns]) for task in tasks]
    order = [*Solved]
    return tuple(sorted(rows, key=lambda row: (order.index(row.solved), natural(row.task_id))))


def answers_of(folder: RunFolder, tasks: Collection[str]) -> dict[str, list[Completion]]:
    """The run's completions of these problems, by index; the last line of each counts. Empty if unreadable."""
    found: dict[tuple[str, int], Completion] = {}
    try:
        with explained("read", folder.completions), open_to_read(folder.completions) as lines:
            for line in lines:
                try:
                    if msgspec.json.decode(line, type=_Which).task_id in tasks:
                        completion = decode_completion(line)
                        found[completion.task_id, completion.index] = completion
                except NOT_THAT_JSON:  # torn by a crash
                    continue
    except BenchError:
        return {}
    by_task: dict[str, list[Completion]] = {}
    for (task, _), completion in sorted(found.items()):
        by_task.setdefault(task, []).append(completion)
    return by_task


class _Which(msgspec.Struct):
    task_id: str


def _cells(folder: RunFolder, warn: Callable[[str], None]) -> dict[str, GridCell]:
    if not folder.completions.exists():
        return {}
    try:
        with explained("read", folder.completions):
            verdicts, _ = read_verdicts(folder.completions)
    except BenchError as error:
        warn(error.message)
        return {}
    outcomes: dict[str, list[Outcome]] = {}
    for verdict in verdicts:
        outcomes.setdefault(verdict.task_id, []).append(verdict.outcome)
    return {
        task: GridCell(each.count(Outcome.PASSED), len(each), min(each, key=_WORST.index))
        for task, each in outcomes.items()
    }


def _row(task: str, cells: Sequence[GridCell | None]) -> GridRow:
    there = [cell for cell in cells if cell is not None]
    if all(cell.passed == cell.total for cell in there):
        solved = Solved.BY_ALL
    elif not any(cell.passed for cell in there):
        solved = Solved.BY_NONE
    else:
        solved = Solved.BY_SOME
    return GridRow(task, solved, tuple(cells))
