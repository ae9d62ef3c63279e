"""How each model's score went over time, with the server's builds marked and every change tested."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import Response  # noqa: TC002 - FastAPI reads the annotation at run time

from results.compare.run_history import Step, run_history
from results.compare.versus_best import Rank
from results.errors import UsageError
from results.records import RunStatus
from results.store.run_store import RunOrder, RunQuery
from results.views.sentences.history_words import history_words, step_words
from web.access.caller import may
from web.access.role import Role
from web.kept import KeptByParts
from web.pages.charts.over_days import history_chart
from web.pages.leaderboard import NO_RUNS
from web.pages.rendering import page
from web.pages.standings import run_url
from web.pages.table import Cell, Column, Empty, Kind, Picker, Row, Table, axis_of
from web.pages.view import View, here
from web.services import ServicesDep  # noqa: TC001 - FastAPI reads the annotation at run time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.store.reading.run_row import RunRow
    from web.pages.table import Value
    from web.services import Services

router = APIRouter(include_in_schema=False, dependencies=[Depends(may(Role.READ))])
_MOST_RUNS = 500  # the newest of a benchmark
_MOST_MODELS = 40
_MOST_STEPS = 40  # the newest, which are tested
_STEPS: KeptByParts[tuple[Step, ...]] = KeptByParts(4 * _MOST_MODELS)


@router.get("/history")
def history(request: Request, services: ServicesDep, *, benchmark: str = "", model: str = "") -> Response:
    """All models of a benchmark, or one with its chart."""
    there = services.store.benchmarks()
    if not there:
        return page(request, "history.html.jinja", view=View(title="History", name="history"), empty=NO_RUNS, tabs=[],
                    table=None, chart=None, kind="")  # fmt: skip
    names = [each.benchmark for each in there]
    name = benchmark or max(there, key=lambda each: (each.runs > 1, each.newest)).benchmark
    if name not in names:
        raise UsageError(f"no run of {name}", hint=f"one of {', '.join(names)}")
    query = RunQuery(benchmark=name, statuses=(RunStatus.SUCCEEDED,), order=RunOrder.NEWEST, limit=_MOST_RUNS)
    series: dict[str, list[RunRow]] = {}
    for row in reversed(services.store.runs(query).rows):
        series.setdefault(row.model, []).append(row)
    tabs = (
        [(each, here(request, benchmark=each, model=None), each == name) for each in names]
        if names[1:]
        else []
    )
    if model in series:
        return _one(request, services, name, series[model], tabs)
    return _all(request, services, name, series, tabs)


def _all(
    request: Request,
    services: Services,
    benchmark: str,
    series: dict[str, list[RunRow]],
    tabs: Sequence[tuple[str, str, bool]],
) -> Response:
    often = sorted(series.items(), key=lambda each: (-len(each[1]), each[0]))[:_MOST_MODELS]
    axis = axis_of([end for _, rows in often for end in (rows[-1].score_low, rows[-1].score_high)])
    made, changed, worse = [], [], False
    for model, rows in often:
        words = history_words(_steps(services, rows[-_MOST_STEPS:]))
        newest, worse = rows[-1], worse or words.kind == "bad"
        if words.kind != "calm":
            changed.append(f"{model}: {words.head[:1].lower()}{words.head[1:]}")
        cells: dict[str, Cell | Value] = {
            "model": Cell(model, href=here(request, benchmark=benchmark, model=model)),
            "over_time": Cell(
                None, spark=tuple(row.score for row in rows[-_MOST_STEPS:]) if rows[1:] else ()
            ),
            "score_percent": Cell(newest.score, low=newest.score_low, high=newest.score_high),
            "change": Cell(words.head, tone={"bad": "bad", "good": "good"}.get(words.kind, "dim")),
            "runs": len(rows),
            "builds": len({row.server_build for row in rows if row.server_build}),
            "newest": newest.timestamp,
        }
        made.append(Row(cells))
    columns = (
        Column("model", "model", term="model"),
        Column("over_time", "over time"),
        Column("score_percent", "newest score", kind=Kind.SCORE, digits=1, axis=axis, term="score"),
        Column("change", "newest change", kind=Kind.LONG, term="change"),
        Column("runs", "runs", kind=Kind.NUMBER, digits=0),
        Column("builds", "builds", kind=Kind.NUMBER, digits=0, term="build"),
        Column("newest", "newest run", "UTC", Kind.TIME),
    )
    empty = Empty(f"No run of {benchmark} has a result yet.")
    table = Table(f"Models of {benchmark} over time", columns, tuple(made), empty=empty, quiet_caption=True)
    again = sum(len(rows) > 1 for rows in series.values())
    if changed:
        lead = changed[0] if len(changed) == 1 else f"{len(changed)} models changed"
    elif again:
        lead = f"No real change in the {again} models that were run more than once"
    else:
        lead = "No model was run more than once"
    sentences = tuple(changed) if len(changed) > 1 else ()
    view = View(title=f"History of {benchmark}", name=f"history-{benchmark}", lead=lead, sentences=sentences,
                tables=(table,))  # fmt: skip
    return page(request, "history.html.jinja", view=view, tabs=tabs, table=table, chart=None,
                kind="bad" if worse else "good" if changed else "calm")  # fmt: skip


def _one(
    request: Request,
    services: Services,
    benchmark: str,
    rows: Sequence[RunRow],
    tabs: Sequence[tuple[str, str, bool]],
) -> Response:
    model, steps = rows[-1].model, _steps(services, rows[-_MOST_STEPS:])
    words = history_words(steps)
    axis = axis_of([end for row in rows for end in (row.score_low, row.score_high)])
    columns = (
        Column("began", "began", "UTC", Kind.TIME),
        Column("score_percent", "score", kind=Kind.SCORE, digits=1, axis=axis, term="score"),
        Column("change", "against the run before", kind=Kind.LONG, term="change"),
        Column("build", "build", term="build"),
        Column("what_changed", "what changed", kind=Kind.LONG),
        Column("tokens_per_s", "speed", "tokens/s", Kind.NUMBER, 1, term="tokens_per_s"),
    )
    table = Table(f"Runs of {model}, newest first", columns, tuple(map(_step_row, reversed(steps))), quiet_caption=True,
                  picker=Picker("/compare", "run", "Compare the chosen runs"))  # fmt: skip
    view = View(
        title=model, name=f"history-{benchmark}", lead=words.head, sentences=words.sentences, tables=(table,)
    )
    return page(request, "history.html.jinja", view=view, tabs=tabs, table=table, chart=history_chart(rows, model),
                kind=words.kind, back=(benchmark, here(request, model=None)))  # fmt: skip


def _steps(services: Services, rows: Sequence[RunRow]) -> tuple[Step, ...]:
    return _STEPS.get(rows, lambda: run_history(rows, services.store))


def _step_row(step: Step) -> Row:
    row = step.row
    tone = {Rank.WORSE: "bad", Rank.BETTER: "good"}.get(step.rank, "") if step.rank is not None else ""
    text = step_words(step)
    cells: dict[str, Cell | Value] = {
        "began": Cell(row.timestamp, href=run_url(row.run_id), also=row.label),
        "score_percent": Cell(row.score, low=row.score_low, high=row.score_high),
        "change": Cell(text, tone=tone),
        "build": row.server_build,
        "what_changed": "; ".join(step.changed),
        "tokens_per_s": row.tokens_per_s,
    }
    return Row(cells, pick=row.run_id)
