"""One run: its result, the proof of its configuration, where the time went, telemetry, incidents, and its samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import Response  # noqa: TC002 - FastAPI reads the annotation at run time

from results.compare.run_choice import Choice
from results.errors import BenchError
from results.prompts.optimisation import optimisation_of
from results.records import Outcome
from results.store.run_store import MOST_ROWS, SampleQuery
from results.views.leaderboard_text import rank_text
from results.views.run_text import summary_rows
from results.views.searches.prompt_text import kept_prompt, prompt_lines
from results.views.searches.text import search_rows
from results.views.telemetry_lines import read_lines
from web.access.caller import may
from web.access.role import Role
from web.errors import ApiError
from web.pages.answers.links import grid_url, sample_url
from web.pages.charts.over_time import telemetry_charts
from web.pages.composites.tables import composite_tables
from web.pages.rendering import page
from web.pages.run_facts import (
    OUTCOMES,
    commands_of,
    configuration_table,
    doubts_of,
    identity_of,
    lead_of,
    outcome_parts,
    phase_parts,
    scores_table,
    stats_of,
    status_words,
)
from web.pages.table import Cell, Column, Empty, Kind, Pager, Row, Table
from web.pages.view import Filter, View, choice, here
from web.services import ServicesDep  # noqa: TC001 - FastAPI reads the annotation at run time

if TYPE_CHECKING:
    from pathlib import Path

    from results.records import RunRecord
    from results.store.run_store import SampleRow
    from web.pages.table import Value
    from web.services import Services


class FoundPrompt(NamedTuple):
    """rows: of a search, as `show` has them. prompt: the parts of what it found, by name."""

    rows: tuple[tuple[str, str], ...]
    prompt: tuple[tuple[str, str], ...]


router = APIRouter(include_in_schema=False, dependencies=[Depends(may(Role.READ))])
ROWS = 25
_LONGEST_TAG = 60  # values of tags that a filter offers


@router.get("/runs/{run_id}")
def run(
    request: Request,
    services: ServicesDep,
    run_id: str,
    *,
    outcome: str = "",
    tag: str = "",
    text: str = "",
    cursor: str = "",
    at: Annotated[int, Query(ge=1, le=10**9)] = 1,
) -> Response:
    """The page. outcome, tag (such as difficulty=hard), text: which samples are listed."""
    record, row, folder = (
        services.store.record(run_id),
        services.store.row(run_id),
        services.store.folder(run_id),
    )
    if record is None or row is None or folder is None:
        raise ApiError(404, "there is no run with this id")
    name, _, value = tag.partition("=")
    query = SampleQuery(
        outcome=Outcome(outcome) if outcome in set(Outcome) else None,
        tag=name,
        value=value,
        text=text,
        limit=MOST_ROWS if request.query_params.get("format") else ROWS,
        cursor=cursor,
    )
    lead, sentences, kind = lead_of(record, row, _rank(services, run_id, row.benchmark))
    samples = _samples(request, services, run_id, query, at, is_search=record.is_search)
    configuration = configuration_table(record)
    scores, composites = scores_table(record.score), composite_tables(record.composite)
    lines = read_lines(folder.telemetry, record.telemetry)
    facts = summary_rows(record, folder.path)
    view = View(
        title=row.model,
        name=run_id,
        lead=lead,
        sentences=(*sentences, *doubts_of(record)),
        facts=tuple(facts),
        tables=(*composites, *([scores] if scores else []), configuration, samples),
    )
    return page(
        request,
        "run.html.jinja",
        view=view,
        row=row,
        record=record,
        status=status_words(row),
        kind=kind,
        sentences=sentences,
        doubts=doubts_of(record),
        stats=stats_of(record, row),
        outcomes=outcome_parts(record.score),
        phases=phase_parts(record),
        scores=scores,
        composites=composites,
        search=_search(record, folder.path),
        configuration=configuration,
        commands=commands_of(record),
        identity=identity_of(record),
        charts=[] if lines is None else telemetry_charts(lines),
        samples=samples,
        filters=_filters(services, row.benchmark, outcome, tag, text),
        grid=grid_url(row.benchmark, [run_id]),
    )


def _search(record: RunRecord, folder: Path) -> FoundPrompt | None:
    """What a search for a better prompt found; None if it was none, or has no end."""
    if record.score is None or (end := optimisation_of(record.score.details)) is None:
        return None
    rows = [row for row in search_rows(record.score.details, folder) if row[0] != "gain"]
    return FoundPrompt(tuple(rows), tuple(prompt_lines(kept_prompt(folder, end).prompt)))


def _rank(services: Services, run_id: str, benchmark: str) -> str:
    """Its rank in its table; "" where it stands in none."""
    try:
        tables = services.tables.tables(Choice(benchmarks=(benchmark,))).tables
    except BenchError:  # a run that can't be read must not hide this one
        return ""
    for table in tables:
        for row in table.rows:
            if row.record.run_id == run_id:
                return rank_text(row)
    return ""


def _filters(services: Services, benchmark: str, outcome: str, tag: str, text: str) -> tuple[Filter, ...]:
    outcomes = {"": "any", **{str(key): words for key, (words, _) in OUTCOMES.items()}}
    tags = {"": "any"}
    for name, values in services.store.tags(benchmark).items():
        tags |= {f"{name}={value}": f"{name}: {value}" for value in values}
    found = [
        Filter("text", "Problem", text, placeholder="part of its id"),
        choice("outcome", "Outcome", outcome, outcomes),
    ]
    if 1 < len(tags) <= _LONGEST_TAG or tag:
        found.append(choice("tag", "Tag", tag, tags if len(tags) <= _LONGEST_TAG else {"": "any"}))
    return tuple(found)


def _samples(
    request: Request, services: Services, run_id: str, query: SampleQuery, at: int, *, is_search: bool
) -> Table:
    found = services.store.samples(run_id, query)
    many = max((row.index for row in found.rows), default=0) > 0
    columns = (
        Column("task_id", "problem"),
        *([Column("index", "answer", kind=Kind.NUMBER, digits=0)] if many else []),
        Column("outcome", "outcome", kind=Kind.STATUS, term="outcome"),
        Column("detail", "why", kind=Kind.LONG),
        Column("tags", "tags", term="tag", extra=True),
        Column("completion_tokens", "tokens", "written", Kind.NUMBER, 0, extra=True),
        Column("request_s", "time", "s", Kind.NUMBER, 1, extra=True),
        Column("cost_usd", "cost", "USD", Kind.NUMBER, 5, extra=True),
    )
    pager = Pager(
        at,
        at + len(found.rows) - 1,
        found.total,
        next=f"{here(request, cursor=found.next_cursor, at=at + len(found.rows))}#samples" if found.next_cursor else "",
        start=f"{here(request, cursor=None, at=None)}#samples" if query.cursor else "",
    )  # fmt: skip
    is_filtered = query.outcome is not None or query.tag or query.text
    empty = (
        Empty("No answer fits these filters.", "Take one away to see more.")
        if is_filtered
        else Empty(
            "A search keeps no single answers.", "Its requests stand in evaluations.jsonl in its folder."
        )
        if is_search
        else Empty("No answers are recorded.", "Its script wrote none, or it ended before the first one.")
    )
    rows = tuple(_sample(run_id, row) for row in found.rows)
    return Table("Answers", columns, rows, empty=empty, pager=pager, quiet_caption=True)


def _sample(run_id: str, row: SampleRow) -> Row:
    tags = ", ".join(f"{name} {value}" for name, value in row.tags.items())
    cells: dict[str, Cell | Value] = {
        "task_id": Cell(row.task_id, href=sample_url(run_id, row.task_id, row.index)),
        "index": row.index,
        "outcome": row.outcome.value,
        "detail": row.detail,
        "tags": tags,
        "completion_tokens": row.completion_tokens,
        "request_s": row.request_s,
        "cost_usd": row.cost_usd,
    }
    return Row(cells)
