"""Models or runs against each other, by paired tests on the samples that they share."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from results.compare.comparison import compare_runs
from results.errors import BenchError, NotComparable, UsageError
from results.records import RunStatus
from results.stats.intervals import CONFIDENCE
from results.stats.paired import holm
from results.store.run_store import RunQuery
from web.api.asking import CONFLICT, NOT_FOUND, Answer, Reader
from web.catalogue.mistakes import in_one_line
from web.config import API_ROOT
from web.errors import ApiError
from web.services import ServicesDep  # noqa: TC001 - FastAPI reads the annotation at run time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.compare.comparison import Comparison
    from results.store.reading.run_row import RunRow
    from web.services import Services

router = APIRouter(prefix=API_ROOT, tags=["results"])
MOST = 6  # runs of one comparison, which makes 15 pairs
_PAGE = 500
_Name = Annotated[str, Field(min_length=1, max_length=255)]
_Several = Annotated[
    list[_Name], Field(min_length=2, max_length=MOST, json_schema_extra={"uniqueItems": True})
]


def _either(schema: dict[str, Any]) -> None:
    nothing, something = {"type": "null"}, {"not": {"type": "null"}}
    schema["oneOf"] = [
        {
            "required": ["model_ids", "benchmark_suite"],
            "properties": {"model_ids": something, "benchmark_suite": something, "run_ids": nothing},
        },
        {"required": ["run_ids"], "properties": {"run_ids": something, "model_ids": nothing}},
    ]


class CompareRequest(BaseModel):
    """Which: models, of which the newest finished run of the suite counts, or runs. metrics: as runs name them; none:
    the score.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra=_either)
    model_ids: _Several | None = None
    run_ids: _Several | None = None
    benchmark_suite: _Name | None = None
    metrics: Annotated[list[_Name], Field(max_length=8)] = []


class Pair(Answer):
    """Second minus first, on the samples that both have, as fractions. low, high: the 95 % interval of the difference.
    p_value: exact; adjusted_p: for all pairs and metrics together (Holm). shown: whether that is below 0.05.
    samples_needed: to show a difference of this size; null if there is none.
    """

    first: str
    second: str
    metric: str
    samples: int
    first_mean: float
    second_mean: float
    difference: float
    low: float
    high: float
    p_value: float
    adjusted_p: float
    shown: bool
    test: str
    only_first: int
    only_second: int
    samples_needed: int | None
    differs_in: tuple[str, ...]


class Compared(Answer):
    """models_compared, run_ids: in the same order. best_performing: the one that is shown to be better than each of the
    others on the first metric; null where that is not shown. performance_gap: by how much it is better than the next
    one, as a fraction; null without it.
    """

    models_compared: tuple[str, ...]
    run_ids: tuple[str, ...]
    benchmark_suite: str
    best_performing: str | None
    best_run_id: str | None
    performance_gap: float | None
    statistical_significance: str
    pairs: tuple[Pair, ...]


class CompareAnswer(Answer):
    """The comparison."""

    comparison: Compared


@router.post("/compare", responses=NOT_FOUND | CONFLICT)
def compare(request: CompareRequest, services: ServicesDep, caller: Reader) -> CompareAnswer:
    """409 names what makes runs incomparable."""
    del caller
    rows = _chosen(services, request)
    try:
        return CompareAnswer(comparison=compared(services, rows, request.metrics))
    except NotComparable as error:
        raise ApiError(409, in_one_line(error)) from error
    except UsageError as error:
        raise ApiError(400, in_one_line(error)) from error
    except BenchError as error:  # damaged results
        raise ApiError(409, in_one_line(error)) from error


def compared(services: Services, rows: Sequence[RunRow], metrics: Sequence[str] = ()) -> Compared:
    """Raises UsageError for a metric that the runs don't have, NotComparable, ResultsError."""
    found = [
        (one, other, _compare(services, rows[one], rows[other]))
        for one, other in itertools.combinations(range(len(rows)), 2)
    ]
    names = list(dict.fromkeys(metrics)) or [next(iter(found[0][2].results))]
    for _, _, comparison in found:
        for name in names:
            if name not in comparison.results:
                known = ", ".join(comparison.results)
                raise UsageError(
                    f"the runs have no metric {name!r} of each sample", hint=f"they have {known}"
                )
    tests = [(one, other, name, each) for name in names for one, other, each in found]
    adjusted = holm([each.results[name].p_value for _, _, name, each in tests])
    pairs = tuple(
        _pair(rows[one], rows[other], name, each, p)
        for (one, other, name, each), p in zip(tests, adjusted, strict=True)
    )
    main = pairs[: len(found)]
    best = _best(rows, main)
    shown = sum(pair.shown for pair in main)
    return Compared(
        models_compared=tuple(row.model for row in rows),
        run_ids=tuple(row.run_id for row in rows),
        benchmark_suite=rows[0].benchmark,
        best_performing=best.model if best is not None else None,
        best_run_id=best.run_id if best is not None else None,
        performance_gap=None if best is None else _gap(best, main),
        statistical_significance=_in_words(names[0], shown, main),
        pairs=pairs,
    )


def _compare(services: Services, first: RunRow, second: RunRow) -> Comparison:
    folders = [services.store.folder(row.run_id) for row in (first, second)]
    if folders[0] is None or folders[1] is None:
        raise NotComparable("a run's folder has gone", hint="ask again")
    return compare_runs(folders[0], folders[1])


def _pair(first: RunRow, second: RunRow, name: str, comparison: Comparison, adjusted_p: float) -> Pair:
    result = comparison.results[name]
    return Pair(
        first=first.run_id,
        second=second.run_id,
        metric=name,
        samples=result.samples,
        first_mean=result.first,
        second_mean=result.second,
        difference=result.difference,
        low=result.low,
        high=result.high,
        p_value=result.p_value,
        adjusted_p=adjusted_p,
        shown=adjusted_p < 1 - CONFIDENCE,
        test=result.test,
        only_first=result.only_first,
        only_second=result.only_second,
        samples_needed=result.samples_needed,
        differs_in=(*_prompts(comparison), *map(str, comparison.differences)),
    )


def _prompts(comparison: Comparison) -> tuple[str, ...]:
    return () if comparison.prompts is None else ("prompt {} and {}".format(*comparison.prompts),)


def _best(rows: Sequence[RunRow], pairs: Sequence[Pair]) -> RunRow | None:
    """The run that every pair with it shows to be better."""
    for row in rows:
        own = [pair for pair in pairs if row.run_id in {pair.first, pair.second}]
        if all(pair.shown and _gain(row, pair) > 0 for pair in own):
            return row
    return None


def _gain(row: RunRow, pair: Pair) -> float:
    return pair.difference if pair.second == row.run_id else -pair.difference


def _gap(best: RunRow, pairs: Sequence[Pair]) -> float:
    return min(_gain(best, pair) for pair in pairs if best.run_id in {pair.first, pair.second})


def _in_words(metric: str, shown: int, pairs: Sequence[Pair]) -> str:
    if len(pairs) == 1:
        (pair,) = pairs
        word = "a difference is shown" if shown else "no difference is shown"
        return f"{metric}: {word}, p = {pair.adjusted_p:.3g}"
    return f"{metric}: {shown} of {len(pairs)} pairs differ at 5 %, after Holm's correction"


def _chosen(services: Services, request: CompareRequest) -> list[RunRow]:
    if (request.model_ids is None) == (request.run_ids is None):
        raise ApiError(400, "give either model_ids (with benchmark_suite) or run_ids")
    names = request.run_ids or request.model_ids or []
    if len(set(names)) < len(names):
        raise ApiError(400, "name each only once")
    if request.run_ids is not None:
        found = []
        for name in names:
            row = services.store.row(name)
            if row is None:
                raise ApiError(404, f"there is no run {name!r}")
            found.append(row)
        benchmarks = {row.benchmark for row in found}
        if request.benchmark_suite is not None and benchmarks != {request.benchmark_suite}:
            raise ApiError(
                409, f"the runs are of {', '.join(sorted(benchmarks))}, not {request.benchmark_suite}"
            )
        return found
    if request.benchmark_suite is None:
        raise ApiError(400, "benchmark_suite: say of which suite the models' runs are compared")
    return [_newest(services, name, request.benchmark_suite) for name in names]


def _newest(services: Services, model: str, suite: str) -> RunRow:
    """The newest succeeded run of exactly that model."""
    cursor = ""
    while True:
        page = services.store.runs(
            RunQuery(text=model, benchmark=suite, statuses=(RunStatus.SUCCEEDED,), limit=_PAGE, cursor=cursor)
        )
        found: list[RunRow] = [row for row in page.rows if row.model == model]
        if found:
            return found[0]
        cursor = page.next_cursor
        if not cursor:
            raise ApiError(404, f"there is no finished run of {model!r} on {suite!r}")
