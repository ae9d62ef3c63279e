"""What each of several runs made of each problem."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from results.records import Outcome
from results.store.answers import natural

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


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


class GridRow(msgspec.Struct, frozen=True):
    """cells: in the order of the runs; None if the run wasn't asked."""

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
_RANK = {outcome: rank for rank, outcome in enumerate(_WORST)}
_ORDER = {solved: rank for rank, solved in enumerate(Solved)}


def cells_of(outcomes: Iterable[tuple[str, Outcome]]) -> dict[str, GridCell]:
    """The cells of one run, by problem. outcomes: of each completion, with its problem."""
    by_task: dict[str, list[Outcome]] = {}
    for task_id, outcome in outcomes:
        by_task.setdefault(task_id, []).append(outcome)
    return {
        task: GridCell(each.count(Outcome.PASSED), len(each), min(each, key=_RANK.__getitem__))
        for task, each in by_task.items()
    }


def grid_rows(columns: Sequence[Mapping[str, GridCell]]) -> list[GridRow]:
    """All problems, those on which runs differ first. columns: the cells of each run, by problem."""
    tasks = dict.fromkeys(task for column in columns for task in column)
    rows = [_row(task, tuple(column.get(task) for column in columns)) for task in tasks]
    return sorted(rows, key=lambda row: (_ORDER[row.solved], natural(row.task_id)))


def _row(task: str, cells: tuple[GridCell | None, ...]) -> GridRow:
    there = [cell for cell in cells if cell is not None]
    if all(cell.passed == cell.total for cell in there):
        solved = Solved.BY_ALL
    elif not any(cell.passed for cell in there):
        solved = Solved.BY_NONE
    else:
        solved = Solved.BY_SOME
    return GridRow(task, solved, cells)
