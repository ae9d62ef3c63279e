"""The leaderboard of one suite, with what is shown and what isn't."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from results.compare.leaderboard import SortBy
from results.compare.run_choice import Choice
from results.errors import ResultsError
from settings.benchmarks import BENCHMARKS
from settings.suites import shipped_suites
from web.api.asking import CONFLICT, NOT_FOUND, Answer, Reader, unreadable
from web.api.composites import Composite, composite_of
from web.config import API_ROOT
from web.errors import ApiError
from web.services import ServicesDep  # noqa: TC001 - FastAPI reads the annotation at run time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.compare.leaderboard import Row, Table
    from web.services import Services

router = APIRouter(prefix=API_ROOT, tags=["results"])


class Standing(Answer):
    """One run of a leaderboard. rank: its place, from 1; neighbours need not differ. score: percent, with its 95 %
    interval. standing: against the best, on the samples that both have: `best`, `worse` (shown, after Holm's correction
    over all pairs), `not distinguishable`, `better`, `stopped` (by a race) or `not tested`. difference: from the best,
    as a fraction, with its interval; adjusted_p: of that. benchmark_count: benchmarks that this model has runs of.
    """

    rank: int
    model: str
    score: float | None
    score_low: float | None
    score_high: float | None
    provider: str
    benchmark_count: int
    run_id: str
    settings: dict[str, str]
    standing: str
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    adjusted_p: float | None
    samples: int | None
    tokens_per_s: float | None
    memory_bytes: int | None
    joules_per_solved: float | None
    seconds: float | None
    usd_per_solved: float | None
    composite: Composite | None


class OtherTable(Answer):
    """Runs of the suite that can't be compared with those above. apart: the settings that set them apart."""

    table: int
    apart: dict[str, str]
    total_models: int


class Leaderboard(Answer):
    """total_models: rows, also those beyond the limit. apart: the settings that set this table apart from the others.
    left_out: how many runs are not shown, by reason.
    """

    suite: str
    metric: str
    leaderboard: tuple[Standing, ...]
    total_models: int
    last_updated: dt.datetime | None
    apart: dict[str, str]
    other_tables: tuple[OtherTable, ...]
    left_out: dict[str, int]


@router.get("/leaderboard", response_model=Leaderboard, responses=NOT_FOUND | CONFLICT)
def leaderboard(
    *,
    services: ServicesDep,
    caller: Reader,
    suite: Annotated[str, Query(max_length=200)] = "human_eval",
    metric: SortBy = SortBy.SCORE,
    limit: Annotated[int, Query(ge=1, le=500)] = 10,
    table: Annotated[
        int, Query(ge=0, le=1000, description="Which set of comparable runs; 0: the largest.")
    ] = 0,
) -> Response:
    """The newest run of each configuration, best first."""
    del caller
    version, key = services.store.version(), (suite, metric, limit, table)
    found = services.answers.get(version, key)
    if found is None:
        shown, is_current = ranking(services, suite, metric=metric, limit=limit, table=table)
        found = shown.model_dump_json().encode()
        if is_current:  # older tables do for this answer, but not for those to come
            services.answers.keep(version, key, found)
    return Response(found, media_type="application/json")


def ranking(
    services: Services, suite: str, *, metric: SortBy = SortBy.SCORE, limit: int = 10, table: int = 0
) -> tuple[Leaderboard, bool]:
    """And whether it is of the runs as they are now.

    Raises ApiError (404) for a suite that nobody knows, or that has no such table.
    """
    known = {each.benchmark for each in services.store.benchmarks()} | {*BENCHMARKS} | {*shipped_suites()}
    if suite not in known:
        raise ApiError(404, f"there is no suite {suite!r}")
    try:
        chosen = services.tables.tables(Choice(benchmarks=(suite,)), sort_by=metric)
    except ResultsError as error:
        raise unreadable(error) from error
    tables = sorted(chosen.tables, key=lambda each: -len(each.rows))
    if table and table >= len(tables):
        raise ApiError(404, f"the suite has {len(tables)} tables")
    shown = tables[table] if tables else None
    counts = _benchmarks_by_model(services)
    rows: Sequence[Row] = shown.rows if shown is not None else ()
    found = Leaderboard(
        suite=suite,
        metric=metric,
        leaderboard=tuple(_standing(place, row, counts) for place, row in enumerate(rows[:limit], 1)),
        total_models=len(rows),
        last_updated=max((dt.datetime.fromisoformat(row.record.timestamp) for row in rows), default=None),
        apart=shown.apart if shown is not None else {},
        other_tables=tuple(_other(number, each) for number, each in enumerate(tables) if number != table),
        left_out=chosen.left_out,
    )
    return found, chosen.is_current


def _standing(place: int, row: Row, counts: dict[str, int]) -> Standing:
    versus = row.versus
    return Standing(
        rank=place,
        model=row.record.model,
        score=row.score,
        score_low=row.score_low,
        score_high=row.score_high,
        provider=str(row.record.config.get("provider") or "local"),
        benchmark_count=counts.get(row.record.model, 0),
        run_id=row.record.run_id,
        settings=row.settings,
        standing="not tested" if versus is None else str(versus.rank),
        difference=versus.difference if versus is not None else None,
        difference_low=versus.low if versus is not None else None,
        difference_high=versus.high if versus is not None else None,
        adjusted_p=versus.adjusted_p if versus is not None else None,
        samples=row.samples,
        tokens_per_s=row.tokens_per_s,
        memory_bytes=row.memory_bytes,
        joules_per_solved=row.joules_per_solved,
        seconds=row.seconds,
        usd_per_solved=row.usd_per_solved,
        composite=composite_of(row.record),
    )


def _other(number: int, table: Table) -> OtherTable:
    return OtherTable(table=number, apart=table.apart, total_models=len(table.rows))


def _benchmarks_by_model(services: Services) -> dict[str, int]:
    found: dict[str, set[str]] = {}
    for row in services.store.rows():
        found.setdefault(row.model, set()).add(row.benchmark)
    return {model: len(benchmarks) for model, benchmarks in found.items()}
