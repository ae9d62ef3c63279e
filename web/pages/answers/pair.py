"""Two runs' answers to one problem side by side, and where they begin to differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import Response  # noqa: TC002 - FastAPI reads the annotation at run time

from results.compare.changed_answers import first_difference
from results.plain_text import plain
from results.store.answers import said, why_in_a_line
from results.store.run_store import RunQuery
from results.views.answer_text import answer_of, is_code, thought_of
from web.access.caller import Caller, may
from web.access.role import Role
from web.errors import ApiError
from web.pages.answers.code import as_html, text_lines, token_lines
from web.pages.answers.line_pairs import Fold, folded, line_pairs
from web.pages.answers.links import grid_url, pair_url, sample_url
from web.pages.answers.outcomes import LOOKS
from web.pages.answers.sample import find_run, run_name
from web.pages.rendering import page
from web.pages.table import Cell, Column, Empty, Kind, Row, Table
from web.pages.view import View, choice, here
from web.services import ServicesDep  # noqa: TC001 - FastAPI reads the annotation at run time

if TYPE_CHECKING:
    from markupsafe import Markup

    from results.records import Completion
    from results.store.reading.run_row import RunRow
    from results.store.run_store import RunStore
    from web.pages.answers.code import Tokens
    from web.pages.answers.line_pairs import LinePair
    from web.pages.view import Filter

router = APIRouter(include_in_schema=False)
MOST_LINES = 5_000  # of either text; nobody reads a longer one beside another
ROOM_BYTES = 78_000  # of HTML for the lines
_ROW_BYTES = 110  # of HTML around two lines
_MOST_ROWS = ROOM_BYTES // _ROW_BYTES
MOST_RUNS = 30
_WHATS = {"code": "Executed code", "answer": "Answer", "thought": "Thinking", "all": "All that it wrote"}
_AROUND = 60  # characters shown from where the answers differ


@dataclass(frozen=True)
class DiffRow:
    """Two lines beside each other. kind: "same", "changed", "removed", "added", or "fold": `lines` same ones that
    aren't shown. first, second: their numbers from 1 on; None where there is none.
    """

    kind: str
    first: int | None = None
    second: int | None = None
    left: Markup | str = ""
    right: Markup | str = ""
    lines: int = 0
    is_first_change: bool = False


@dataclass(frozen=True)
class Diff:
    """As many rows as the page has room for. begin: the number of the first; next: of the first on the next page, or
    None. cut: lines of each text that were not compared. same: no line differs.
    """

    rows: tuple[DiffRow, ...]
    total: int
    begin: int = 0
    next: int | None = None
    cut: int = 0
    same: bool = False


@dataclass(frozen=True)
class Side:
    """One of the two answers."""

    row: RunRow
    completion: Completion
    url: str

    @property
    def words(self) -> str:
        return LOOKS[self.completion.outcome].words

    @property
    def why(self) -> str:
        return "" if self.completion.passed else why_in_a_line(self.completion)


@router.get("/answers")
def answers(
    *,
    request: Request,
    services: ServicesDep,
    caller: Annotated[Caller, Depends(may(Role.READ))],
    task_id: str,
    a: str = "",
    b: str = "",
    benchmark: str = "",
    index: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    what: str = "",
    begin: Annotated[int, Query(alias="from", ge=0, le=100_000)] = 0,
    whole: bool = False,
) -> Response:
    """Both answers side by side; without two runs, what each run made of the problem."""
    del caller
    store: RunStore = services.store
    if not (a and b):
        return _offer(request, store, task_id, a or b, benchmark)
    first, second = (_side(store, run_id, task_id, index) for run_id in (a, b))
    texts = {name: (_text(first.completion, name), _text(second.completion, name)) for name in _WHATS}
    there = {name: title for name, title in _WHATS.items() if any(texts[name])}
    if what not in there:
        what = next(iter(there), "answer")
    diff = diff_of(*texts[what], code=what == "code", begin=begin, whole=whole)
    return page(
        request,
        "answers/pair.html.jinja",
        view=_view(task_id, first, second),
        task_id=task_id,
        sides=(first, second),
        diff=diff,
        what=what,
        whats=[(name, title, here(request, what=name, **{"from": None})) for name, title in there.items()],
        whole=whole,
        looks=LOOKS,
        nothing=Empty("Neither run wrote any of it."),
        difference=difference_of(first.completion, second.completion),
        swapped=here(request, a=b, b=a, **{"from": None}),
        runs=_choices(store, first.row, a, b),
        others=pair_url(task_id, benchmark=first.row.benchmark),
    )


def diff_of(first: str, second: str, *, code: bool, begin: int = 0, whole: bool = False) -> Diff:
    """Both texts line beside line, from row `begin` on. whole: with all lines that are the same."""
    ours, theirs = text_lines(first), text_lines(second)
    longest = max(len(ours), len(theirs))
    ours, theirs = ours[:MOST_LINES], theirs[:MOST_LINES]
    pairs = line_pairs(ours, theirs)
    same = all(pair.same for pair in pairs)
    found: list[LinePair | Fold] = [*pairs] if whole or same else [*folded(pairs)]
    near = found[begin : begin + _MOST_ROWS]
    language = "python" if code else ""
    left = token_lines(ours[: max((row.first or 0 for row in near), default=0) + 1], language)
    right = token_lines(theirs[: max((row.second or 0 for row in near), default=0) + 1], language)
    change = next((n for n, row in enumerate(found) if not isinstance(row, Fold) and not row.same), -1)
    rows: list[DiffRow] = []
    room = ROOM_BYTES
    for number in range(begin, len(found)):
        row = _row(found[number], left, right, is_first=number == change)
        room -= len(row.left.encode()) + len(row.right.encode()) + _ROW_BYTES
        if rows and room < 0:
            break
        rows.append(row)
    end = begin + len(rows)
    return Diff(
        tuple(rows),
        len(found),
        begin,
        end if end < len(found) else None,
        max(0, longest - MOST_LINES),
        same,
    )


def difference_of(first: Completion, second: Completion) -> tuple[int, int, str, str] | None:
    """Where all that both wrote begins to differ: character and line, from 1 on, and what each has there; or None."""
    one, other = said(first), said(second)
    at = first_difference(one, other)
    if at is None:
        return None
    line = len(text_lines(one[:at]))
    return at + 1, line, _there(one, at), _there(other, at)


def _there(text: str, at: int) -> str:
    begin = max(0, at - 20)
    piece = text[begin : at + _AROUND]
    if at >= len(text):
        piece += " (ends here)"
    return f"{'…' if begin else ''}{piece}{'…' if len(text) > at + _AROUND else ''}"


def _row(row: LinePair | Fold, left: list[Tokens], right: list[Tokens], *, is_first: bool) -> DiffRow:
    if isinstance(row, Fold):
        return DiffRow("fold", row.first + 1, row.second + 1, lines=row.lines)
    number = None if row.first is None else row.first + 1
    other = None if row.second is None else row.second + 1
    if row.same and row.first is not None:
        html = as_html(left[row.first])
        return DiffRow("same", number, other, html, html)
    kind = "added" if row.first is None else "removed" if row.second is None else "changed"
    return DiffRow(
        kind,
        number,
        other,
        "" if row.first is None else as_html(left[row.first], *row.first_range),
        "" if row.second is None else as_html(right[row.second], *row.second_range),
        is_first_change=is_first,
    )


def _side(store: RunStore, run_id: str, task_id: str, index: int) -> Side:
    row = find_run(store, run_id)
    completion = store.sample(run_id, task_id, index)
    if completion is None:
        raise ApiError(404, f"the run {run_id} has no answer to {plain(task_id)[:120]}")
    return Side(row, completion, sample_url(run_id, task_id, index))


def _text(completion: Completion, what: str) -> str:
    if what == "code":
        return completion.completion if is_code(completion) else ""
    if what == "thought":
        return thought_of(completion)
    if what == "all":
        return said(completion) if completion.transcript else ""
    return answer_of(completion)


def _view(task_id: str, first: Side, second: Side) -> View:
    one, other = (f"{side.row.model}: {side.words}" for side in (first, second))
    return View(
        title=task_id,
        name=f"answers-{task_id}",
        lead=f"{one}. {other}.",
        sentences=tuple(f"{side.row.model}: {side.why}" for side in (first, second) if side.why),
        facts=(("first run", first.row.run_id), ("second run", second.row.run_id)),
    )


def _choices(store: RunStore, row: RunRow, a: str, b: str) -> list[Filter]:
    found = store.runs(RunQuery(benchmark=row.benchmark, limit=MOST_RUNS)).rows
    names = {each.run_id: run_name(each) for each in found if each.outcomes}
    return [choice("a", "First run", a, names), choice("b", "Second run", b, names)]


_COLUMNS = (
    Column("model", "Run"),
    Column("outcome", "Outcome"),
    Column("detail", "Why", kind=Kind.LONG),
    Column("completion_tokens", "Tokens", kind=Kind.NUMBER),
    Column("request_s", "Seconds", kind=Kind.NUMBER, digits=1),
    Column("pair", "Side by side"),
)


def _offer(request: Request, store: RunStore, task_id: str, run_id: str, benchmark: str) -> Response:
    """What every run made of the problem."""
    if run_id:
        benchmark = find_run(store, run_id).benchmark
    rows: list[Row] = []
    beside = run_id
    for run in store.runs(RunQuery(benchmark=benchmark, limit=MOST_RUNS)).rows:
        each = store.sample(run.run_id, task_id)
        if each is None:
            continue
        beside = beside or run.run_id
        look = LOOKS[each.outcome]
        tone = {"p": "good", "f": "bad"}.get(look.kind, "warn")
        pair = Cell("compare", href=pair_url(task_id, beside, run.run_id)) if run.run_id != beside else None
        rows.append(
            Row({
                "model": Cell(run.model, href=sample_url(run.run_id, task_id), also=run.timestamp[:10]),
                "outcome": Cell(look.words, f"{look.sign} {look.words}", tone=tone),
                "detail": why_in_a_line(each)[:300] or None,
                "completion_tokens": each.completion_tokens,
                "request_s": each.request_s,
                "pair": pair,
            })
        )  # fmt: skip
    if not rows:
        raise ApiError(404, f"no run has an answer to {plain(task_id)[:120]}")
    solved = sum(row.cells["outcome"].value == "solved" for row in rows)  # type: ignore[union-attr]
    table = Table(
        f"What the newest runs of {benchmark} made of it.", _COLUMNS, tuple(rows), Empty("No answers.")
    )
    view = View(
        title=task_id,
        name=f"problem-{task_id}",
        lead=f"Solved by {solved} of {len(rows)} runs",
        tables=(table,),
    )
    return page(request, "answers/problem.html.jinja", view=view, grid=grid_url(benchmark))
