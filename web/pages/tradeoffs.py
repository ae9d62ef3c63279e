"""Score against speed, memory, energy and cost, with intervals and the Pareto front."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import Response  # noqa: TC002 - FastAPI reads the annotation at run time

from results.compare.leaderboard import SortBy
from results.views.report.plots import CROSS, crosses, legend, worth_drawing
from web.access.caller import may
from web.access.role import Role
from web.kept import KeptByParts
from web.pages.benchmark_tables import shown_tables
from web.pages.charts.trade_offs import trade_off_charts
from web.pages.exporting import MOST_ROWS
from web.pages.leaderboard import NO_RUNS
from web.pages.rendering import page
from web.pages.standings import run_table
from web.pages.table import Empty
from web.pages.view import View
from web.services import ServicesDep  # noqa: TC001 - FastAPI reads the annotation at run time

if TYPE_CHECKING:
    from results.views.report.plots import Family
    from web.pages.charts.chart import Chart
    from web.pages.standings import Standing

MOST_POINTS = 30  # more are neither told apart nor drawn in the time of a page
_ROWS = 20
router = APIRouter(include_in_schema=False, dependencies=[Depends(may(Role.READ))])


@dataclass(frozen=True)
class _Drawing:
    """drawn: how many runs. crosses: whether some of them are marked by a cross."""

    charts: list[Chart]
    legend: list[Family]
    crosses: bool
    drawn: int


_DRAWINGS: KeptByParts[_Drawing] = KeptByParts(4)


@router.get("/tradeoffs")
def tradeoffs(request: Request, services: ServicesDep, *, benchmark: str = "", table: str = "") -> Response:
    """The plots of one table, and its runs."""
    shown = shown_tables(services, benchmark, table)
    found = shown.standing
    if found is None:
        empty = NO_RUNS if not shown.benchmark else Empty(f"No run of {shown.benchmark} has a result yet.")
        return page(request, "tradeoffs.html.jinja", view=View(title="Trade-offs", name="tradeoffs"), empty=empty,
                    shown=shown, charts=[], found=None, filters=())  # fmt: skip
    drawing = _DRAWINGS.get([found], lambda: _drawing(found))
    most = MOST_ROWS if request.query_params.get("format") else _ROWS
    runs = run_table(found, found.table.rows[:most], SortBy.SCORE, sortable=False)
    view = View(
        title=f"Trade-offs of {shown.benchmark}",
        name=f"tradeoffs-{shown.benchmark}",
        lead=found.verdict.head,
        sentences=found.verdict.reasons,
        tables=(runs,),
    )
    return page(
        request,
        "tradeoffs.html.jinja",
        view=view,
        shown=shown,
        found=found,
        charts=drawing.charts,
        legend=drawing.legend,
        crosses=drawing.crosses,
        drawn=drawing.drawn,
        cross=CROSS,
        filters=shown.table_choice(),
        runs=runs,
    )


def _drawing(found: Standing) -> _Drawing:
    drawn = replace(found.table, rows=tuple(worth_drawing(found.table, MOST_POINTS)))
    return _Drawing(trade_off_charts(drawn, found.names), legend(drawn), crosses(drawn), len(drawn.rows))
