"""The grid of problems and runs, and the problems that tell most: the hardest and the most-flipped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import Response  # noqa: TC002 - FastAPI reads the annotation at run time

from results.records import RunStatus
from results.store.reading.problems import Solved
from results.store.run_store import MOST_RUNS, GridOrder, GridQuery, RunQuery
from web.access.caller import Caller, may
from web.access.role import Role
from web.pages.answers.links import pair_url, sample_url
from web.pages.answers.outcomes import LOOKS, look_of
from web.pages.answers.sample import run_name
from web.pages.rendering import page
from web.pages.table import Cell, Column, Empty, Kind, Pager, Row, Table
from web.pages.view import Option, View, choice, here
from web.services import ServicesDep  # noqa: TC001 - FastAPI reads the annotation at run time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.store.reading.problems import GridRow
    from results.store.reading.run_row import RunRow
    from results.store.run_store import GridPage, RunStore, TaskCounts
    from web.pages.view import Filter

router = APIRouter(include_in_schema=False)
MOST_CELLS = 420  # of a page, each a link; with its style, it stays within 120 kB
RUNS = 8  # that are shown unless the URL names some
OFFERED_RUNS = 60
LISTED = 10  # hardest and most-flipped problems
_ORDERS = {"differing": "Differing first", "hardest": "Hardest first", "task": "By name"}
_GROUPS = {
    Solved.BY_SOME: "The runs differ",
    Solved.BY_NONE: "Solved by no run",
    Solved.BY_ALL: "Solved by every run",
}


@dataclass(frozen=True)
class GridCellShown:
    """url: of the answer. sign, words, kind: as in `outcomes.Look`."""

    url: str
    sign: str
    words: str
    kind: str


@dataclass(frozen=True)
class GridLine:
    """A problem. url: of a run that solved it beside one that didn't, or of what all runs made of it. group: a heading
    before it, or empty.
    """

    task_id: str
    url: str
    differs: bool
    cells: tuple[GridCellShown | None, ...]
    group: str = ""


@router.get("/tasks")
def tasks(
    *,
    request: Request,
    services: ServicesDep,
    caller: Annotated[Caller, Depends(may(Role.READ))],
    benchmark: str = "",
    run: Annotated[list[str] | None, Query()] = None,
    order: str = "differing",
    tag: str = "",
    number: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1,
) -> Response:
    """Which problem each run solved. tag: `name=value`, only problems with it."""
    del caller
    store: RunStore = services.store
    benchmarks = [
        each.benchmark for each in sorted(store.benchmarks(), key=lambda each: each.newest, reverse=True)
    ]
    given = [row for run_id in dict.fromkeys(run or ()) if (row := store.row(run_id)) is not None][:MOST_RUNS]
    if not benchmark:
        benchmark = given[0].benchmark if given else next(iter(benchmarks), "")
    offered = _offered(store, benchmark)
    chosen = given or offered[:RUNS]
    ordered = GridOrder(order) if order in _ORDERS else GridOrder.DIFFERING
    name, _, value = tag.partition("=")
    query = GridQuery(
        run_ids=tuple(row.run_id for row in chosen),
        order=ordered,
        tag=name,
        value=value,
        page=number,
        per_page=max(10, min(100, MOST_CELLS // max(1, len(chosen)))),
    )
    every = {row.run_id: row for row in (*chosen, *offered)}
    grid = store.grid(query) if chosen else None
    hardest = store.hardest(benchmark, LISTED) if benchmark else ()
    flipped = store.flipped(benchmark, LISTED) if benchmark else ()
    tables = (
        _table(grid, benchmark),
        _counts(
            flipped,
            benchmark,
            "Answers to these problems disagree most, so they decide comparisons.",
        ),
        _counts(hardest, benchmark, "The fewest answers to these problems passed."),
    )
    return page(
        request,
        "answers/grid.html.jinja",
        view=_view(grid, benchmark, tables),
        grid=grid,
        lines=_lines(grid, ordered) if grid is not None else (),
        filters=_filters(store, benchmark, benchmarks, order, tag),
        offered=[Option(row.run_id, run_name(row), row in chosen) for row in every.values()],
        pager=_pager(request, grid, query.per_page),
        flipped=tables[1],
        hardest=tables[2],
        looks=[*LOOKS.values()],
        empty=Empty(
            f"No run of {benchmark} with answers has finished yet" if benchmark else "There are no runs yet",
            "A run's problems appear here when it has finished; until then, its own page lists its answers.",
            "/start",
            "Start a run",
        ),
    )


def _offered(store: RunStore, benchmark: str) -> tuple[RunRow, ...]:
    statuses = (RunStatus.SUCCEEDED,)
    found = (
        store.runs(RunQuery(benchmark=benchmark, statuses=statuses, limit=OFFERED_RUNS)).rows
        if benchmark
        else ()
    )
    return tuple(row for row in found if row.outcomes)


def _lines(grid: GridPage, order: GridOrder) -> tuple[GridLine, ...]:
    made: list[GridLine] = []
    last = None
    grouped = order is GridOrder.DIFFERING and len(grid.runs) > 1
    for row in grid.rows:
        group = _GROUPS[row.solved] if grouped and row.solved is not last else ""
        last = row.solved
        cells = tuple(
            None if cell is None else GridCellShown(sample_url(run.run_id, row.task_id), *look_of(cell))
            for run, cell in zip(grid.runs, row.cells, strict=True)
        )
        made.append(
            GridLine(row.task_id, _beside(row, grid.runs), row.solved is Solved.BY_SOME, cells, group)
        )
    return tuple(made)


def _beside(row: GridRow, runs: Sequence[RunRow]) -> str:
    """A run that solved it beside one that did not."""
    there = [(run.run_id, cell) for run, cell in zip(runs, row.cells, strict=True) if cell is not None]
    solved = next((run_id for run_id, cell in there if cell.passed == cell.total), "")
    other = next((run_id for run_id, cell in there if cell.passed < cell.total), "")
    if solved and other:
        return pair_url(row.task_id, solved, other)
    return pair_url(row.task_id, benchmark=runs[0].benchmark) if runs else ""


def _view(grid: GridPage | None, benchmark: str, tables: tuple[Table, ...]) -> View:
    lead = ""
    if grid is not None and grid.total:
        lead = f"{grid.total:,} problems of {benchmark}, {len(grid.runs)} run{'s' * (len(grid.runs) != 1)}"
    return View(title="Problems", name=f"problems-{benchmark or 'none'}", lead=lead, tables=tables)


def _table(grid: GridPage | None, benchmark: str) -> Table:
    """The grid for an export."""
    runs = grid.runs if grid is not None else ()
    columns = (Column("task_id", "Problem"), *(Column(run.run_id, run.model) for run in runs))
    rows = tuple(
        Row({
            "task_id": row.task_id,
            **{
                run.run_id: None if cell is None else look_of(cell).words
                for run, cell in zip(runs, row.cells, strict=True)
            },
        })
        for row in (grid.rows if grid is not None else ())
    )  # fmt: skip
    return Table(f"What each run made of each problem of {benchmark}.", columns, rows, keep_empty=True)


_COLUMNS = (
    Column("task_id", "Problem"),
    Column("share", "Passed", "% of answers", kind=Kind.SHARE, digits=0),
    Column("runs", "Runs", kind=Kind.NUMBER),
)


def _tags(counts: TaskCounts) -> str:
    return ", ".join(f"{name} {value}" for name, value in counts.tags.items())[:120]


def _counts(found: Sequence[TaskCounts], benchmark: str, caption: str) -> Table:
    rows = tuple(
        Row({
            "task_id": Cell(each.task_id, href=pair_url(each.task_id, benchmark=benchmark), also=_tags(each)),
            "share": 100 * each.share,
            "runs": each.runs,
        })
        for each in found
    )  # fmt: skip
    return Table(caption, _COLUMNS, rows, Empty("None yet.", "It takes two runs that were judged."))


def _filters(
    store: RunStore, benchmark: str, benchmarks: Sequence[str], order: str, tag: str
) -> list[Filter]:
    made = [
        choice("benchmark", "Benchmark", benchmark, {each: each for each in benchmarks}),
        choice("order", "Order", order if order in _ORDERS else "differing", _ORDERS),
    ]
    tags = store.tags(benchmark) if benchmark else {}
    options = {
        f"{name}={value}": f"{name}: {value}" for name, values in tags.items() for value in values[:30]
    }
    if options or tag:
        made.append(choice("tag", "Only", tag, {"": "all problems", **options}))
    return made


def _pager(request: Request, grid: GridPage | None, per_page: int) -> Pager | None:
    if grid is None or not grid.rows:
        return None
    first = (grid.page - 1) * per_page + 1
    return Pager(
        first,
        first + len(grid.rows) - 1,
        grid.total,
        here(request, page=grid.page - 1 if grid.page > 2 else None) if grid.page > 1 else "",
        here(request, page=grid.page + 1) if grid.page < grid.pages else "",
    )
