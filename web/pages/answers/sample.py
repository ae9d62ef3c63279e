"""One answer of a run: why it passed or failed, what was asked, thought, said, called and executed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import Response

from results.plain_text import plain
from results.store.answers import why_in_a_line
from results.store.reading.part_lines import parts_of_completion
from results.store.run_store import RunQuery, SampleQuery
from results.views.answer_text import answer_of, expected_text, facts_of, is_code, thought_of
from results.views.composites.sample_parts_text import part_facts
from web.access.caller import Caller, may
from web.access.role import Role
from web.errors import ApiError
from web.pages.answers.code import Shown, shown
from web.pages.answers.links import sample_url
from web.pages.answers.outcomes import LOOKS, Look
from web.pages.answers.texts import PARTS, ROOM_BYTES, Text, Turn, text_of, turns, whole_text
from web.pages.rendering import page
from web.pages.view import Option, View
from web.services import ServicesDep  # noqa: TC001 - FastAPI reads the annotation at run time

if TYPE_CHECKING:
    from results.failed_check import FailedCheck
    from results.prompts.sent_prompts import SentPrompt
    from results.records import Completion
    from results.store.reading.run_row import RunRow
    from results.store.run_store import RunStore

router = APIRouter(include_in_schema=False)
MOST_OTHERS = 40  # runs that are offered for comparing
MOST_INDEXES = 200  # completions of one sample that are linked
_LOUD = {"check", "input", "call", "returned", "got", "expected", "raised in", "why"}  # shown by themselves


@dataclass(frozen=True)
class Check:
    """The check that failed. rows: name, value, and "got" or "expected" where it is one of the two sides."""

    rows: tuple[tuple[str, str, str], ...]
    line: int | None


@dataclass(frozen=True)
class Told:
    """All that the page shows of one completion."""

    look: Look
    why: str
    facts: tuple[tuple[str, str], ...]
    check: Check | None
    prompt: Text | None
    prompt_turns: tuple[Turn, ...]
    tools: tuple[str, ...]
    thought: Text | None
    answer: Text | None
    code: Shown | None
    conversation: tuple[Turn, ...]


@router.get("/runs/{run_id}/samples/{task_id:path}")
def by_path(
    *,
    run_id: str,
    task_id: str,
    request: Request,
    services: ServicesDep,
    caller: Annotated[Caller, Depends(may(Role.READ))],
    index: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    part: str = "",
) -> Response:
    """The page of one answer; with `part`, one of its texts whole, to be saved."""
    del caller
    return _answer(request, services.store, run_id, task_id, index=index, part=part)


@router.get("/runs/{run_id}/samples")
def by_query(
    *,
    run_id: str,
    task_id: str,
    request: Request,
    services: ServicesDep,
    caller: Annotated[Caller, Depends(may(Role.READ))],
    index: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    part: str = "",
) -> Response:
    """The same for ids of samples that a path can't hold."""
    del caller
    return _answer(request, services.store, run_id, task_id, index=index, part=part)


def told(completion: Completion, prompt: SentPrompt | None) -> Told:
    """Everything of it, within a page's room."""
    thought, code = thought_of(completion), completion.completion if is_code(completion) else ""
    answer = "" if completion.transcript else answer_of(completion)
    chat = prompt is not None and len(prompt.messages) > 1
    asked = "" if prompt is None or chat else prompt.text or "".join(each.content for each in prompt.messages)
    return Told(
        look=LOOKS[completion.outcome],
        why=why_in_a_line(completion),
        facts=_facts(completion),
        check=_check(completion.failed_check),
        prompt=text_of(asked.strip("\n"), "prompt", language="" if prompt and prompt.text else None)
        if asked
        else None,
        prompt_turns=turns(prompt.messages, most_bytes=ROOM_BYTES) if prompt is not None and chat else (),
        tools=tuple(str(each.get("function", each).get("name")) for each in prompt.tools) if prompt else (),
        thought=text_of(thought, "thought", language="") if thought else None,
        answer=text_of(answer, "answer", executed=code) if answer.strip() else None,
        code=shown(code, most_bytes=ROOM_BYTES) if code.strip() else None,
        conversation=turns(completion.transcript),
    )


def attachment(text: str, name: str) -> Response:
    """A text to be saved, which no browser opens as anything else."""
    safe = re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-.") or "text"
    return Response(
        text.encode("utf-8", "backslashreplace"),
        media_type="text/plain; charset=utf-8",
        headers={
            "content-disposition": f'attachment; filename="{safe}.txt"',
            "x-content-type-options": "nosniff",
        },
    )


def find_run(store: RunStore, run_id: str) -> RunRow:
    """Raises ApiError 404."""
    row = store.row(run_id)
    if row is None:
        raise ApiError(404, f"there is no run {plain(run_id)[:120]}")
    return row


def _answer(
    request: Request, store: RunStore, run_id: str, task_id: str, *, index: int, part: str
) -> Response:
    row = find_run(store, run_id)
    completion = store.sample(run_id, task_id, index)
    if completion is None:
        what = f"answer {index} to" if index else "answer to"
        raise ApiError(404, f"the run {run_id} has no {what} {plain(task_id)[:120]}")
    prompt = store.prompt(run_id, task_id)
    if prompt is not None and completion.prompt_sha256 not in {"", prompt.sha256}:
        prompt = None  # not the one that was answered
    if part:
        text = whole_text(part, completion, prompt) if part in PARTS else None
        if text is None:
            raise ApiError(404, f"this answer has no part {plain(part)[:40]}")
        return attachment(text, f"{run_id}-{task_id}-{index}-{part}")
    view = _view(row, completion)
    return page(
        request,
        "answers/sample.html.jinja",
        view=view,
        row=row,
        completion=completion,
        told=told(completion, prompt),
        scored=_scored(store, row, completion),
        part_url=lambda name: sample_url(run_id, task_id, index, part=name),
        indexes=_indexes(store, row, completion),
        others=_others(store, row),
    )


def _view(row: RunRow, completion: Completion) -> View:
    number = f", answer {completion.index}" if completion.index else ""
    look = LOOKS[completion.outcome]
    why = why_in_a_line(completion)
    return View(
        title=f"{completion.task_id}{number}",
        name=f"{row.run_id}-{completion.task_id}",
        lead=f"{look.words.capitalize()}{f': {why}' if why and not completion.passed else ''}",
        facts=(("run", row.run_id), ("model", row.model), *_facts(completion)),
    )


def _facts(completion: Completion) -> tuple[tuple[str, str], ...]:
    found = [(fact.name, fact.text) for fact in facts_of(completion) if fact.text and fact.name not in _LOUD]
    found += [*completion.tags.items()]
    if completion.expected is not None and not is_code(completion):
        found[:0] = [("read as", completion.completion or "nothing"), ("expected", str(completion.expected))]
    return tuple((name, text[:300]) for name, text in dict(found).items())


def _scored(store: RunStore, row: RunRow, completion: Completion) -> tuple[tuple[str, str], ...]:
    """The parts of its composite score; () where none was asked for or they can't be read."""
    folder = store.folder(row.run_id)
    try:
        found = parts_of_completion(folder.path, completion.task_id, completion.index) if folder else None
    except OSError:
        return ()
    return tuple(part_facts(found)) if found is not None else ()


def _check(check: FailedCheck | None) -> Check | None:
    if check is None:
        return None
    rows = (
        ("check", check.check, ""),
        ("input", check.given, ""),
        ("call", check.call, ""),
        ("returned", check.returned, ""),
        ("got", check.got, "got"),
        ("expected", expected_text(check.relation, check.expected), "expected"),
        ("raised in", f"line {check.line}: {check.code}" if check.line is not None else "", ""),
    )
    return Check(tuple(row for row in rows if row[1]), check.line)


def _indexes(store: RunStore, row: RunRow, completion: Completion) -> tuple[tuple[str, str, bool], ...]:
    """Address, words and whether it is this one, of each of several completions of the sample."""
    found = store.samples(row.run_id, SampleQuery(text=completion.task_id, limit=MOST_INDEXES)).rows
    own = [each for each in found if each.task_id == completion.task_id]
    if len(own) < 2:
        return ()
    return tuple(
        (
            sample_url(row.run_id, each.task_id, each.index),
            f"{each.index} {LOOKS[each.outcome].sign}",
            each.index == completion.index,
        )
        for each in own
    )


def _others(store: RunStore, row: RunRow) -> tuple[Option, ...]:
    """Other runs of the benchmark, for a form that compares."""
    found = store.runs(RunQuery(benchmark=row.benchmark, limit=MOST_OTHERS)).rows
    return tuple(
        Option(each.run_id, run_name(each), False)
        for each in found
        if each.run_id != row.run_id and each.outcomes
    )


def run_name(row: RunRow) -> str:
    """A run in a few words, for a choice among several."""
    score = "" if row.score is None else f", {row.score:.1f}"
    label = f", {row.label}" if row.label else ""
    return f"{row.model}{score}{label} ({row.timestamp[:16].replace('T', ' ')})"
