"""All runs: filtered, in any order, a page at a time."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import Response  # noqa: TC002 - FastAPI reads the annotation at run time

from results.compare.run_choice import parse_since
from results.records import RunStatus
from results.store.run_store import MOST_ROWS, RunOrder, RunQuery
from results.views.composites.composite_text import UNKNOWN
from web.access.caller import may
from web.access.role import Role
from web.pages.leaderboard import NO_RUNS
from web.pages.rendering import page
from web.pages.standings import GIB, run_url, sorted_column
from web.pages.table import Cell, Column, Empty, Kind, Pager, Picker, Row, Table
from web.pages.view import Filter, View, choice, here
from web.services import ServicesDep  # noqa: TC001 - FastAPI reads the annotation at run time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.store.reading.run_row import RunRow
    from web.pages.table import Value
    from web.services import Services

router = APIRouter(include_in_schema=False, dependencies=[Depends(may(Role.READ))])
ROWS = 50
SPEED = Column("tokens_per_s", "speed", "tokens/s", Kind.NUMBER, 1, term="tokens_per_s")
_COMPOSITE = (
    Column("composite", "composite", "of 100", Kind.NUMBER, 1, term="composite"),
    Column("partial_composite", "partial composite", kind=Kind.NUMBER, digits=1, only_exported=True),
)
STATUSES = {
    "": "any",
    "succeeded": "succeeded",
    "started": "running",
    "failed": "failed",
    "interrupted": "interrupted",
}
_DAYS = {"": "any time", "1d": "the last day", "7d": "the last week", "30d": "the last 30 days"}
_LESS_IS_BETTER = {RunOrder.MEMORY, RunOrder.SECONDS, RunOrder.MODEL, RunOrder.OLDEST}


@router.get("/runs")
def runs(
    request: Request,
    services: ServicesDep,
    *,
    text: str = "",
    model: str = "",
    benchmark: str = "",
    status: str = "",
    since: str = "",
    label: str = "",
    sweep: str = "",
    archived: str = "",
    order: str = "newest",
    cursor: str = "",
    at: Annotated[int, Query(ge=1, le=10**9)] = 1,
) -> Response:
    """The list. since: as `--since` of `list`. at: the position of the first row, for the words below the table."""
    by = RunOrder(order) if order in set(RunOrder) else RunOrder.NEWEST
    exporting = bool(request.query_params.get("format"))
    query = RunQuery(
        text=text,
        model=model,
        benchmark=benchmark,
        statuses=(RunStatus(status),) if status in set(RunStatus) else (),
        since=parse_since(since, dt.datetime.now(dt.UTC), "since") if since else None,
        label=label,
        sweep_id=sweep,
        archived=None if archived else False,
        order=by,
        limit=MOST_ROWS if exporting else ROWS,
        cursor=cursor,
    )
    found = services.store.runs(query)
    filters = _filters(services, query, status=status, since=since, archived=archived)
    pager = Pager(
        at,
        at + len(found.rows) - 1,
        found.total,
        next=here(request, cursor=found.next_cursor, at=at + len(found.rows)) if found.next_cursor else "",
        start=here(request, cursor=None, at=None) if cursor else "",
    )
    is_filtered = any(field.is_set for field in filters) or bool(label or sweep)
    empty = (
        Empty("No run fits these filters.", "Take one away to see more.", "/runs", "Show all runs")
        if is_filtered
        else NO_RUNS
    )
    columns = list_columns(by, composites=any(row.has_composite for row in found.rows))
    table = Table("Runs", columns, list_rows(found.rows), empty=empty, pager=pager, quiet_caption=True,
                  picker=Picker("/compare", "run", "Compare the chosen runs"))  # fmt: skip
    count = f"{found.total:,} run{'s' * (found.total != 1)}"
    view = View(title="Runs", name="runs", facts=(("shown", count),), tables=(table,))
    return page(request, "run_list.html.jinja", view=view, table=table, filters=filters, count=count)


def _filters(
    services: Services, query: RunQuery, *, status: str, since: str, archived: str
) -> tuple[Filter, ...]:
    benchmarks = {"": "any", **{each.benchmark: each.benchmark for each in services.store.benchmarks()}}
    orders = {
        "newest": "newest first",
        "oldest": "oldest first",
        "score": "score",
        "tokens_per_s": "speed",
        "memory": "memory",
        "seconds": "time",
        "model": "model",
    }
    sort = choice("order", "Sort by", query.order.value, orders)
    return (
        Filter("text", "Search", query.text, placeholder="model, label or id"),
        choice("benchmark", "Benchmark", query.benchmark, benchmarks),
        choice("status", "Status", status, STATUSES),
        choice("since", "Began", since, _DAYS),
        choice("archived", "Archived", archived, {"": "hidden", "1": "shown"}),
        replace(sort, value="" if query.order is RunOrder.NEWEST else sort.value),
    )


def list_columns(by: RunOrder, *, benchmark: bool = True, composites: bool = False) -> tuple[Column, ...]:
    """The columns of runs that need not be comparable. composites: whether any has a composite score, by which they
    aren't ordered: another one's may have other weights.
    """
    newest = by is RunOrder.NEWEST
    began = Column("began", "began", "UTC", Kind.TIME, order="oldest" if newest else "newest")
    if by in {RunOrder.NEWEST, RunOrder.OLDEST}:
        began = replace(began, sorted="descending" if newest else "ascending")

    def sortable(column: Column) -> Column:
        return sorted_column(column, by, "ascending" if by in _LESS_IS_BETTER else "descending")

    columns = (
        sortable(Column("model", "model", order="model", term="run")),
        Column("benchmark", "benchmark", term="benchmark"),
        Column("status", "status", kind=Kind.STATUS, term="status"),
        sortable(Column("score_percent", "score", kind=Kind.SCORE, digits=1, order="score", term="score")),
        *(_COMPOSITE if composites else ()),
        sortable(replace(SPEED, order="tokens_per_s")),
        sortable(Column("memory_gib", "memory", "GiB", Kind.NUMBER, 2, order="memory", term="memory", extra=True)),
        sortable(Column("seconds", "time", "s", Kind.NUMBER, 0, order="seconds", term="seconds", extra=True)),
        began,
        Column("note", "note", kind=Kind.LONG, only_exported=True),
        Column("label", "label", only_exported=True),
        Column("run_id", "run", kind=Kind.CODE, only_exported=True),
    )  # fmt: skip
    return columns if benchmark else tuple(each for each in columns if each.name != "benchmark")


def list_rows(rows: Sequence[RunRow]) -> tuple[Row, ...]:
    """Their rows."""
    return tuple(map(_row, rows))


def _row(row: RunRow) -> Row:
    memory = row.memory_bytes if row.memory_bytes is not None else row.host_memory_bytes
    note = _note(row)
    status = "running" if row.status is RunStatus.STARTED else row.status.value
    cells: dict[str, Cell | Value] = {
        "model": Cell(row.model, href=run_url(row.run_id), also="; ".join(filter(None, (row.label, note)))),
        "benchmark": row.benchmark,
        "status": status,
        "score_percent": Cell(row.score, low=row.score_low, high=row.score_high),
        "composite": _composite(row),
        "partial_composite": row.partial_composite,
        "tokens_per_s": row.tokens_per_s,
        "memory_gib": None if memory is None else memory / GIB,
        "seconds": row.seconds,
        "began": row.timestamp,
        "note": note,
        "label": row.label,
        "run_id": row.run_id,
    }
    return Row(cells, kind="failed" if row.status is RunStatus.FAILED else "", pick=row.run_id)


def _composite(row: RunRow) -> Cell:
    if row.has_composite and row.composite is None:
        partial = row.partial_composite
        return Cell(None, UNKNOWN, also="" if partial is None else f"{partial:.1f} (partial)")
    return Cell(row.composite)


def _note(row: RunRow) -> str:
    notes = [each for each in (row.error, row.search) if each]
    if row.status is RunStatus.STARTED and row.answered is not None:
        notes.append(f"{row.answered} answers so far")
    if row.lost:
        notes.append(f"{row.lost} answers lost")
    if row.incidents:
        notes.append(f"its server was restarted {row.incidents} time{'s' * (row.incidents != 1)}")
    if row.archived:
        notes.append("archived")
    if row.rejudged_from:
        notes.append("judged again")
    return "; ".join(notes)
