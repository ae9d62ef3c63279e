"""The answers of one run: a page of them without their texts, and one with everything that was kept of it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query

from results.errors import BenchError, ParseError, ResultsError
from results.records import Outcome  # noqa: TC001 - FastAPI reads the annotation at run time
from results.store.run_store import SampleQuery
from web.api.asking import CONFLICT, NOT_FOUND, Answer, Reader, RunId
from web.catalogue.mistakes import in_one_line
from web.config import API_ROOT
from web.errors import ApiError
from web.services import ServicesDep  # noqa: TC001 - same

router = APIRouter(prefix=API_ROOT, tags=["samples"])
MOST_ROWS = 500
_Text = Annotated[str, Query(max_length=200)]


class SampleRow(Answer):
    """One completion. detail: why it failed, in a line."""

    task_id: str
    index: int
    outcome: Outcome
    detail: str
    tags: dict[str, str]
    prompt_tokens: int | None
    completion_tokens: int | None
    request_s: float | None
    cost_usd: float | None
    near_time_limit: bool


class SampleList(Answer):
    """total: of all pages. next_cursor: "" on the last page."""

    run_id: str
    samples: tuple[SampleRow, ...]
    total: int
    next_cursor: str


class Sample(Answer):
    """One completion with what was asked. Texts are the model's, exactly. completion: the code that was executed after
    the prompt. answer: the model's text; reasoning: its thinking. prompt: null where it was not kept. failed_check:
    what failed in it, and on which values. transcript: of a conversation with tools.
    """

    run_id: str
    task_id: str
    index: int
    outcome: Outcome
    passed: bool
    detail: str
    completion: str
    answer: str
    reasoning: str
    finish_reason: str
    expected: Any
    prompt_tokens: int | None
    completion_tokens: int | None
    request_s: float | None
    execute_s: float | None
    near_time_limit: bool
    attempts: int
    cost_usd: float | None
    cached: bool
    metrics: dict[str, float]
    tags: dict[str, str]
    failed_check: dict[str, Any] | None
    transcript: tuple[dict[str, Any], ...]
    prompt: dict[str, Any] | None


@router.get("/samples/{run_id}", responses=NOT_FOUND | CONFLICT)
def samples(
    *,
    run_id: RunId,
    services: ServicesDep,
    caller: Reader,
    outcome: Outcome | None = None,
    tag: _Text = "",
    value: _Text = "",
    text: Annotated[str, Query(max_length=200, description="Part of the sample's id.")] = "",
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 100,
    cursor: Annotated[str, Query(max_length=200)] = "",
) -> SampleList:
    """The completions of a run, in the order of its samples."""
    del caller
    query = SampleQuery(outcome=outcome, tag=tag, value=value, text=text, limit=limit, cursor=cursor)
    try:
        if services.store.row(run_id) is None:
            raise ApiError(404, "there is no run with that id")
        page = services.store.samples(run_id, query)
    except (ParseError, ResultsError) as error:
        raise _unreadable(error) from error
    return SampleList(
        run_id=run_id,
        samples=tuple(SampleRow.model_validate(row) for row in page.rows),
        total=page.total,
        next_cursor=page.next_cursor,
    )


@router.get("/samples/{run_id}/{task_id:path}", responses=NOT_FOUND | CONFLICT)
def sample(
    run_id: RunId,
    task_id: str,
    services: ServicesDep,
    caller: Reader,
    index: Annotated[int, Query(ge=0, le=1_000_000, description="Which of its completions.")] = 0,
) -> Sample:
    """One completion with all that was kept of it. The sample's id may have slashes."""
    del caller
    try:
        found = services.store.sample(run_id, task_id, index)
        prompt = services.store.prompt(run_id, task_id) if found is not None else None
    except (ParseError, ResultsError) as error:
        raise _unreadable(error) from error
    if found is None:
        raise ApiError(404, "the run has no such sample, or there is no such run")
    facts = {
        name: value for name, value in msgspec.structs.asdict(found).items() if name in Sample.model_fields
    }
    facts |= {
        "failed_check": None if found.failed_check is None else msgspec.to_builtins(found.failed_check),
        "transcript": tuple(map(msgspec.to_builtins, found.transcript)),
        "prompt": None if prompt is None else msgspec.to_builtins(prompt),
    }
    return Sample.model_validate({"run_id": run_id, **facts})


def _unreadable(error: BenchError) -> ApiError:
    return ApiError(409, in_one_line(error))
