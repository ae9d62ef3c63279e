"""Two runs on the same problems, or several side by side: whether a difference is real, and what else differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import Response  # noqa: TC002 - FastAPI reads the annotation at run time

from results.compare.comparison import compare_runs
from results.compare.divergence_pair import are_of_kld, compare_divergences
from results.compare.leaderboard import SortBy, make_tables
from results.errors import NotComparable
from results.store.run_store import RunQuery
from results.views.composites.pair_text import composite_pair_facts
from results.views.divergence_text import divergence_rows
from results.views.sentences.pair_words import comparison_words
from results.views.sentences.run_names import unique_names
from web.access.caller import may
from web.access.role import Role
from web.errors import ApiError
from web.pages.answers.links import grid_url
from web.pages.compare_tables import costs_table, differences_table, flips_table, tags_table
from web.pages.leaderboard import NO_RUNS
from web.pages.rendering import page
from web.pages.standings import run_table, run_url, standing
from web.pages.view import Filter, View, choice
from web.services import ServicesDep  # noqa: TC001 - FastAPI reads the annotation at run time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.store.reading.run_row import RunRow
    from results.store.run_folder import RunFolder
    from web.services import Services

router = APIRouter(include_in_schema=False, dependencies=[Depends(may(Role.READ))])
MOST = 8  # runs
_OFFERED = 200  # runs to choose from


@router.get("/compare")
def compare(
    request: Request,
    services: ServicesDep,
    run: Annotated[list[str] | None, Query(max_length=64)] = None,
) -> Response:
    """run: ids, two to eight; with fewer, a form that asks for them."""
    ids = [*dict.fromkeys(each for each in run or () if each)]
    if len(ids) > MOST:
        raise ApiError(400, f"at most {MOST} runs are compared at once; {len(ids)} were chosen")
    rows = [services.store.row(run_id) for run_id in ids]
    if None in rows:
        raise ApiError(404, "one of these runs doesn't exist; see the list of runs")
    there = [row for row in rows if row is not None]
    if len(there) < 2:
        return _form(request, services, there)
    folders = [folder for run_id in ids if (folder := services.store.folder(run_id)) is not None]
    try:
        if len(there) > 2:
            return _several(request, services, there, folders)
        if are_of_kld(folders[0], folders[1]):
            return _divergences(request, there, folders)
        return _pair(request, services, there, folders)
    except NotComparable as error:
        view = View(title="These runs can't be compared", name="compare", lead=error.message)
        return page(request, "compare.html.jinja", view=view, kind="warn", sentences=(f"Try: {error.hint}",),
                    runs=_links(there), tables=(), filters=_fields(services, there))  # fmt: skip


def _form(request: Request, services: Services, there: Sequence[RunRow]) -> Response:
    found = services.store.runs(RunQuery(limit=1))
    empty = None if found.total else NO_RUNS
    view = View(title="Compare", name="compare")
    return page(request, "compare.html.jinja", view=view, kind="", sentences=(), runs=_links(there), tables=(),
                filters=_fields(services, there), empty=empty)  # fmt: skip


def _fields(services: Services, there: Sequence[RunRow]) -> tuple[Filter, ...]:
    """Two choices among the newest runs, of the same benchmark where one is chosen."""
    benchmark = there[0].benchmark if there else ""
    rows = services.store.runs(RunQuery(benchmark=benchmark, limit=_OFFERED)).rows
    names = called([*rows, *there])
    options = {"": "choose a run"}
    for row in (*there, *rows):
        score = "" if row.score is None else f", {row.score:.1f}"
        options[row.run_id] = f"{names[row.run_id]}, {row.benchmark}{score}, {row.timestamp[:10]}"
    ids = [row.run_id for row in there[:2]] + [""] * (2 - len(there))
    return tuple(
        choice("run", label, each, options) for label, each in zip(("First", "Second"), ids, strict=False)
    )


def called(rows: Sequence[RunRow]) -> dict[str, str]:
    """A name of each run that no other of them has: its label, else its model, with the end of its id where needed."""
    return unique_names({row.run_id: row.label or row.model for row in rows})


def _links(rows: Sequence[RunRow]) -> list[tuple[str, str, str]]:
    names = called(rows)
    return [
        (names[row.run_id], run_url(row.run_id), f"{row.benchmark}, {row.timestamp[:10]}") for row in rows
    ]


def _pair(
    request: Request, services: Services, rows: Sequence[RunRow], folders: Sequence[RunFolder]
) -> Response:
    comparison = compare_runs(folders[0], folders[1])
    names = called(rows)
    first, second = names[rows[0].run_id], names[rows[1].run_id]
    words = comparison_words(comparison, first, second)
    scored = "; ".join(text for _, text in composite_pair_facts(comparison, first, second))
    tables = [
        costs_table(comparison, first, second),
        tags_table(comparison, first, second),
        flips_table(comparison, first, second),
        differences_table(comparison.differences, first, second),
    ]
    view = View(
        title=f"{first} and {second}",
        name="compare",
        lead=words.head,
        sentences=words.sentences,
        facts=(("composite", scored),) if scored else (),
        tables=tuple(table for table in tables if table is not None),
    )
    return page(request, "compare.html.jinja", view=view, kind="good" if words.shown else "calm",
                sentences=words.sentences, runs=_links(rows), tables=view.tables, filters=_fields(services, rows),
                grid=grid_url(rows[0].benchmark, [row.run_id for row in rows]))  # fmt: skip


def _divergences(request: Request, rows: Sequence[RunRow], folders: Sequence[RunFolder]) -> Response:
    pair = compare_divergences(folders[0], folders[1])
    names = called(rows)
    first, second = names[rows[0].run_id], names[rows[1].run_id]
    facts = tuple(divergence_rows(pair))
    table = differences_table(pair.differences, first, second)
    view = View(
        title=f"{first} (A) and {second} (B)", name="compare", facts=facts, tables=(table,) if table else ()
    )
    return page(request, "compare.html.jinja", view=view, kind="", sentences=(), runs=_links(rows), tables=view.tables,
                filters=())  # fmt: skip


def _several(
    request: Request, services: Services, rows: Sequence[RunRow], folders: Sequence[RunFolder]
) -> Response:
    """A leaderboard of these runs alone: each is tested against the best of them."""
    records = [(folder, folder.read_record()) for folder in folders]
    tables = make_tables(records, warn=lambda _: None, store=services.store)
    standings = [standing(table) for table in tables]
    shown = tuple(run_table(each, each.table.rows, SortBy.SCORE, sortable=False) for each in standings)
    apart = (
        f"These runs stand in {len(tables)} tables, because they differ in what determines a score",
    ) if len(tables) > 1 else ()  # fmt: skip
    sentences = (*apart, *(text for each in standings for text in each.sentences))
    view = View(title=f"{len(rows)} runs", name="compare", lead=standings[0].verdict.head if len(tables) == 1 else "",
                sentences=sentences, tables=shown)  # fmt: skip
    kind = standings[0].verdict.kind if len(tables) == 1 else "warn"
    return page(
        request,
        "compare.html.jinja",
        view=view,
        kind=kind,
        sentences=sentences,
        runs=_links(rows),
        tables=shown,
        filters=(),
        grid=grid_url(rows[0].benchmark, [row.run_id for row in rows]),
    )
