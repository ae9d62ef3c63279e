"""The overall leaderboard: every benchmark's conclusion, and each one's runs with real differences."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import Response  # noqa: TC002 - FastAPI reads the annotation at run time

from results.compare.leaderboard import SortBy
from results.compare.run_choice import Choice
from results.views.leaderboard_text import row_kind
from web.access.caller import may
from web.access.role import Role
from web.pages.composites.columns import has_composites
from web.pages.exporting import MOST_ROWS
from web.pages.rendering import page
from web.pages.standings import Standing, run_table, run_url, shortened, standing
from web.pages.table import Cell, Column, Empty, Kind, Pager, Picker, Row, Table, axis_of
from web.pages.view import Filter, View, choice, here
from web.services import ServicesDep  # noqa: TC001 - FastAPI reads the annotation at run time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.compare.leaderboard import Table as RunTable
    from web.pages.table import Value
    from web.services import Services

router = APIRouter(include_in_schema=False, dependencies=[Depends(may(Role.READ))])
ROWS = 40  # of one table on one page
_MOST_MODELS = 60  # of the overview
NO_RUNS = Empty(
    "No runs yet.",
    "A run asks one model all questions of a benchmark. Start one here, or with bench_runner.py run.",
    "/start",
    "Start a run",
)


@router.get("/")
def leaderboard(
    request: Request,
    services: ServicesDep,
    *,
    benchmark: str = "",
    order: str = "score",
    table: str = "",
    start: Annotated[int, Query(ge=1, le=10**6)] = 1,
) -> Response:
    """All benchmarks side by side, or with `benchmark` its tables. table: the title of the one to page through."""
    there = [each.benchmark for each in services.store.benchmarks()]
    if not there:
        return page(request, "leaderboard.html.jinja", view=View(title="Leaderboard", name="leaderboard"),
                    empty=NO_RUNS, tabs=(), sections=(), form=())  # fmt: skip
    if not benchmark and len(there) > 1:
        return _overview(request, services, there)
    by = SortBy(order) if order in set(SortBy) else SortBy.SCORE
    name = benchmark or there[0]
    chosen = services.tables.tables(Choice(benchmarks=(name,)), sort_by=by)
    shown = [each for each in chosen.tables if not table or each.title == table] or chosen.tables
    most = MOST_ROWS if request.query_params.get("format") else ROWS
    sections = [_section(request, each, by, start if table or len(shown) == 1 else 1, most) for each in shown]
    lead = f"{sections[0][0].verdict.head}." if len(sections) == 1 else ""
    sentences = [text for found, _ in sections for text in (*found.verdict.sentences, *found.sentences)]
    view = View(
        title=f"Leaderboard of {name}",
        name=f"leaderboard-{name}",
        lead=lead,
        sentences=tuple(dict.fromkeys(map(shortened, sentences))),
        tables=tuple(each for _, each in sections),
    )
    return page(
        request,
        "leaderboard.html.jinja",
        view=view,
        sections=sections,
        tabs=_tabs(there, name),
        form=(_sorting(by, shown),),
        left_out=chosen.left_out,
        empty=Empty(
            f"No run of {name} has a result yet.",
            "Runs that go on, failed or were interrupted stand in the list of runs.",
            f"/runs?benchmark={name}",
            "See its runs",
        ),
    )


def _tabs(benchmarks: Sequence[str], current: str) -> list[tuple[str, str, bool]]:
    from urllib.parse import urlencode

    if len(benchmarks) < 2:
        return []
    each = [(name, f"/?{urlencode({'benchmark': name})}", name == current) for name in benchmarks]
    return [("All benchmarks", "/", not current), *each]


def _sorting(by: SortBy, tables: Sequence[RunTable]) -> Filter:
    words = {
        SortBy.SCORE: "score",
        **({SortBy.COMPOSITE: "composite"} if any(has_composites(each.rows) for each in tables) else {}),
        SortBy.TOKENS_PER_S: "speed",
        SortBy.MEMORY: "memory",
        SortBy.JOULES: "energy",
        SortBy.COST: "cost",
        SortBy.SECONDS: "time",
    }
    return choice("order", "Sort by", by.value, {each.value: text for each, text in words.items()})


def _section(request: Request, table: RunTable, by: SortBy, start: int, most: int) -> tuple[Standing, Table]:
    found = standing(table)
    first = min(start, len(table.rows)) - 1
    rows = table.rows[first : first + most]
    last, total = first + len(rows), len(table.rows)

    def link(at: int) -> str:
        return here(request, benchmark=table.benchmark, table=table.title, start=at if at > 1 else None)

    pager = Pager(
        first + 1,
        last,
        total,
        previous=link(max(1, first + 1 - most)) if first else "",
        next=link(last + 1) if last < total else "",
    )
    made = run_table(found, rows, by, pager=pager)
    return found, replace(made, picker=Picker("/compare", "run", "Compare the chosen runs"))


def _overview(request: Request, services: Services, benchmarks: Sequence[str]) -> Response:
    """Every benchmark's conclusion, and the models by benchmark."""
    chosen = services.tables.tables()
    tables = sorted(chosen.tables, key=lambda each: (each.benchmark, -len(each.rows)))
    standings = [standing(each) for each in tables]
    view = View(
        title="Leaderboard",
        name="leaderboard",
        tables=tuple(filter(None, (_conclusions(standings), _by_model(standings)))),
    )
    return page(request, "leaderboard.html.jinja", view=view, overview=True, sections=(), form=(),
                tabs=_tabs(benchmarks, ""), empty=NO_RUNS, left_out=chosen.left_out)  # fmt: skip


def _conclusions(standings: Sequence[Standing]) -> Table:
    from urllib.parse import urlencode

    rows = []
    for found in standings:
        table, best = found.table, found.table.rows[0]
        link = f"/?{urlencode({'benchmark': table.benchmark, 'table': table.title})}"
        first = found.verdict.reasons[0] if found.verdict.reasons else ""
        cells: dict[str, Cell | Value] = {
            "benchmark": Cell(table.title, href=link),
            "conclusion": Cell(found.verdict.head, also=shortened(first, 200),
                               tone={"pick": "good", "tentative": "warn"}.get(found.verdict.kind, "")),
            "highest": Cell(best.score, low=best.score_low, high=best.score_high, also=""),
            "runs": len(table.rows),
            "newest": max(row.record.timestamp for row in table.rows),
        }  # fmt: skip
        rows.append(Row(cells))
    columns = (
        Column("benchmark", "benchmark", term="benchmark"),
        Column("conclusion", "conclusion", kind=Kind.LONG),
        Column("highest", "highest score", kind=Kind.SCORE, digits=1, term="score"),
        Column("runs", "runs", kind=Kind.NUMBER, digits=0),
        Column("newest", "newest", kind=Kind.TIME),
    )
    return Table("What to take, by benchmark", columns, tuple(rows), quiet_caption=True)


def _by_model(standings: Sequence[Standing]) -> Table | None:
    """The models' scores in each benchmark's largest table. The tint is that of the benchmark's own table: what isn't
    shown to be worse than its best.
    """
    largest: dict[str, Standing] = {}
    for found in standings:
        if any(row.score is not None for row in found.table.rows):
            largest.setdefault(found.table.benchmark, found)
    cells: dict[str, dict[str, Cell]] = {}
    for benchmark, found in largest.items():
        for row in found.table.rows:
            if row.score is None or f"score_{benchmark}" in cells.get(row.record.model, {}):
                continue
            kind = row_kind(row)
            mine = cells.setdefault(row.record.model, {"model": Cell(row.record.model)})
            mine[f"score_{benchmark}"] = Cell(
                row.score, low=row.score_low, high=row.score_high, href=run_url(row.record.run_id),
                tone={"as-good": "good", "worse": "dim", "stopped": "dim"}.get(kind, ""),
            )  # fmt: skip
    if len(largest) < 2:
        return None
    ordered = sorted(cells.values(), key=lambda each: -len(each))[:_MOST_MODELS]
    columns = [Column("model", "model", term="model")]
    for name, found in largest.items():
        ends = [end for row in found.table.rows for end in (row.score_low, row.score_high)]
        columns.append(Column(f"score_{name}", name, kind=Kind.SCORE, digits=1, axis=axis_of(ends)))
    return Table(
        "Models by benchmark, the highest score of each",
        tuple(columns),
        tuple(map(Row, ordered)),
        quiet_caption=True,
    )
