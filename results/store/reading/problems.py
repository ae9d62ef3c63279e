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
_ALONE = {outcome: (outcome,) for outcome in Outcome}  # one tuple for all of a thousand problems
_SINGLE = {outcome: GridCell(int(outcome is Outcome.PASSED), 1, outcome) for outcome in Outcome}
_ORDER = {solved: rank for rank, solved in enumerate(Solved)}


def cells_of(outcomes: Mapping[str, Sequence[Outcome]]) -> dict[str, GridCell]:
    """The cells of one run, by problem. outcomes: of each problem's completions."""
    return {
        task: _SINGLE[each[0]]
        if len(each) == 1
        else GridCell(each.count(Outcome.PASSED), len(each), min(each, key=_RANK.__getitem__))
        for task, each in outcomes.items()
    }


def outcomes_of(completions: Iterable[tuple[str, Outcome]]) -> dict[str, tuple[Outcome, ...]]:
    """By problem. completions: each with its problem."""
    found: dict[str, tuple[Outcome, ...]] = {}
    for task_id, outcome in completions:
        before = found.get(task_id)
        found[task_id] = _ALONE[outcome] if before is None else (*before, outcome)
    return found


def grid_rows(columns: Sequence[Mapping[str, GridCell]]) -> list[GridRow]:
    """All problems, those on which runs differ first. columns: the cells of each run, by problem."""
    tasks = dict.fromkeys(task for column in columns for task in column)
    rows = [_row(task, tuple(column.get(task) for column in columns)) for task in tasks]
    return sorted(rows, key=lambda row: (_ORDER[row.solved], natural(row.task_id)))


def _row(task: str, cells: tuple[GridCell | None, ...]) -> GridRow:
    passed = total = 0
    for cell in cells:
        if cell is not None:
            passed += cell.passed
            total += cell.total
    solved = Solved.BY_ALL if passed == total else Solved.BY_SOME if passed else Solved.BY_NONE
    return GridRow(task, solved, cells)
