"""Choose and order rows, and cut them into pages."""

from __future__ import annotations

import datetime as dt
import fnmatch
from typing import TYPE_CHECKING, Any, TypeVar

from results.errors import UsageError
from results.records import Outcome, RunStatus
from results.stats.intervals import wilson_interval
from results.store.answers import natural
from results.store.reading.problems import GridCell, grid_rows
from results.store.run_store import (
    MOST_ROWS,
    MOST_RUNS,
    BenchmarkRuns,
    GridOrder,
    GridPage,
    GridQuery,
    RunOrder,
    RunPage,
    RunQuery,
    TagCounts,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from results.store.reading.run_files import SampleLine
    from results.store.reading.run_row import RunRow
    from results.store.run_store import TaskCounts

MOST_VALUES = 200  # of one tag in one run; a tag with more is no group
_Row = TypeVar("_Row")


def page(rows: Sequence[_Row], limit: int, cursor: str) -> tuple[tuple[_Row, ...], str]:
    """A page of rows, and the cursor of the next one. Raises UsageError for a cursor that is none."""
    start, end, following = window(len(rows), limit, cursor)
    return tuple(rows[start:end]), following


def window(total: int, limit: int, cursor: str) -> tuple[int, int, str]:
    """Where a page begins and ends, and the cursor of the next one. Raises UsageError for a cursor that is none."""
    if cursor and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 12):
        raise UsageError(
            f"{cursor!r} is no cursor", hint="give the next_cursor of the page before, unchanged"
        )
    start, size = int(cursor or 0), max(1, min(limit, MOST_ROWS))
    return start, start + size, str(start + size) if start + size < total else ""


def run_page(rows: Iterable[RunRow], query: RunQuery) -> RunPage:
    """rows: all, oldest first. Raises UsageError for a cursor that is none."""
    found = [row for row in rows if fits(row, query)]
    key = _KEYS.get(query.order)
    if query.order is not RunOrder.OLDEST:
        found.reverse()
    if key is not None:
        found.sort(key=key)  # stable: among equals the newest stays first
    there, following = page(found, query.limit, query.cursor)
    return RunPage(there, len(found), following)


def _most(value: float | None) -> tuple[bool, float]:
    return value is None, -(value or 0.0)


def _least(value: float | None) -> tuple[bool, float]:
    return value is None, value or 0.0


_KEYS: dict[RunOrder, Callable[[RunRow], Any]] = {
    RunOrder.SCORE: lambda row: _most(row.score),
    RunOrder.TOKENS_PER_S: lambda row: _most(row.tokens_per_s),
    RunOrder.MEMORY: lambda row: _least(
        row.memory_bytes if row.memory_bytes is not None else row.host_memory_bytes
    ),
    RunOrder.SECONDS: lambda row: _least(row.seconds),
    RunOrder.MODEL: lambda row: row.model.casefold(),
}


def fits(row: RunRow, query: RunQuery) -> bool:
    """Whether the query asks for the run."""
    if query.archived is not None and row.archived is not query.archived:
        return False
    if query.benchmark and row.benchmark != query.benchmark:
        return False
    if query.statuses and row.status not in query.statuses:
        return False
    if query.sweep_id and row.sweep_id != query.sweep_id:
        return False
    if query.label and row.label.casefold() != query.label.casefold():
        return False
    if query.model and not _named(row.model, query.model):
        return False
    if query.text:
        wanted = query.text.casefold()
        if not any(wanted in text.casefold() for text in (row.run_id, row.label, row.model, row.benchmark)):
            return False
    return _within(row.timestamp, query.since, query.until)


def _named(model: str, pattern: str) -> bool:
    name, wanted = model.lower(), pattern.lower()
    return wanted in name or fnmatch.fnmatchcase(name, wanted)


def _within(timestamp: str, since: dt.datetime | None, until: dt.datetime | None) -> bool:
    if since is None and until is None:
        return True
    try:
        when = dt.datetime.fromisoformat(timestamp)
    except ValueError:
        return False
    if when.tzinfo is None:
        when = when.replace(tzinfo=dt.UTC)
    return (since is None or when >= since) and (until is None or when <= until)


def benchmark_runs(rows: Iterable[RunRow]) -> tuple[BenchmarkRuns, ...]:
    """By name. rows: oldest first."""
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row.benchmark, []).append(row.timestamp)
    return tuple(BenchmarkRuns(name, len(times), max(times)) for name, times in sorted(found.items()))


def counts(row: RunRow) -> bool:
    """Whether the run counts where problems and tags are summed up."""
    return row.status is RunStatus.SUCCEEDED and not row.archived


def grid_page(
    query: GridQuery, runs: Sequence[RunRow], columns: Sequence[Mapping[str, GridCell]]
) -> GridPage:
    """columns: the cells of each of the runs, by problem, of the problems that are asked for."""
    rows = grid_rows(columns)
    if query.order is GridOrder.TASK:
        rows.sort(key=lambda row: natural(row.task_id))
    elif query.order is GridOrder.HARDEST:
        rows.sort(key=lambda row: (row.solvers, natural(row.task_id)))
    size = max(1, min(query.per_page, MOST_ROWS))
    pages = max(1, -(-len(rows) // size))
    number = max(1, min(query.page, pages))
    there = tuple(rows[(number - 1) * size : number * size])
    return GridPage(tuple(runs), there, len(rows), number, pages)


def columns_of(query: GridQuery, row: Callable[[str], RunRow | None]) -> list[RunRow]:
    """The known runs among those that are asked for, each once. Raises UsageError for too many."""
    if len(query.run_ids) > MOST_RUNS:
        raise UsageError(f"a grid has at most {MOST_RUNS} runs", hint="choose fewer runs")
    found = (row(run_id) for run_id in dict.fromkeys(query.run_ids))
    return [each for each in found if each is not None]


def tag_counts(
    run: RunRow,
    value: str,
    *,
    outcomes: Mapping[Outcome, int],
    samples: int,
    request_s: float | None,
    completion_tokens: int | None,
    cost_usd: float | None,
) -> TagCounts:
    """outcomes: how many completions ended so. request_s: mean."""
    total = sum(outcomes.values())
    passed = outcomes.get(Outcome.PASSED, 0)
    low, high = wilson_interval(passed * samples / total, samples)
    return TagCounts(
        run=run,
        value=value,
        samples=samples,
        completions=total,
        passed=passed,
        lost=outcomes.get(Outcome.INFRASTRUCTURE_ERROR, 0),
        solved=100 * passed / total,
        low=100 * low,
        high=100 * high,
        request_s=request_s,
        completion_tokens=completion_tokens,
        cost_usd=cost_usd,
    )


def hardest(tasks: Iterable[TaskCounts], limit: int) -> tuple[TaskCounts, ...]:
    """The judged problems with the lowest share of passed completions, the most often judged first."""
    found = [task for task in tasks if task.judged]
    found.sort(key=lambda task: (task.share, -task.judged, natural(task.task_id)))
    return tuple(found[: max(1, min(limit, MOST_ROWS))])


def flipped(tasks: Iterable[TaskCounts], limit: int) -> tuple[TaskCounts, ...]:
    """The problems on which the completions disagree most."""
    found = [task for task in tasks if task.disagreements]
    found.sort(key=lambda task: (-task.disagreements, natural(task.task_id)))
    return tuple(found[: max(1, min(limit, MOST_ROWS))])


def tag_values(lines: Iterable[SampleLine]) -> dict[str, set[str]]:
    """The tags of a run's samples with their values; without those that hardly two samples share."""
    found: dict[str, set[str]] = {}
    for line in lines:
        for name, value in line.tags.items():
            found.setdefault(name, set()).add(value)
    return {name: values for name, values in found.items() if name and len(values) <= MOST_VALUES}
