"""The problems of a table and the answers to them, as a page shows them, within a bounded number of bytes.

Answers come first where they say most: problems on which runs differ, then those that nobody solved, then the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from results.compare.answer_diff import side_by_side
from results.compare.problem_grid import answers_of, problem_grid
from results.errors import BenchError
from results.prompts.sent_prompts import read_prompts
from results.records import Outcome
from results.store.answers import why_in_a_line
from results.store.reading.problems import Solved
from results.views.report.page_text import page_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from results.compare.leaderboard import Table
    from results.prompts.sent_prompts import SentPrompt
    from results.records import Completion
    from results.store.reading.problems import GridCell, GridRow

MOST_BYTES = 3 << 20  # of all answers of a report
MOST_PROBLEMS = 1000  # in a grid
_LONGEST = 6000  # characters of one text
_OVERHEAD = 400  # bytes around a text
_HEADINGS = {
    Solved.BY_SOME: "Problems on which the runs differ",
    Solved.BY_NONE: "Solved by no run",
    Solved.BY_ALL: "Solved by every run",
}
_ALONE = {Solved.BY_SOME: "Solved sometimes", Solved.BY_NONE: "Not solved", Solved.BY_ALL: "Solved"}
SIGNS = {
    Outcome.PASSED: ("✓", "solved", "p"),
    Outcome.FAILED: ("✗", "wrong", "f"),
    Outcome.TRUNCATED: ("…", "cut", "c"),
    Outcome.NO_ANSWER: ("∅", "no answer", "c"),
    Outcome.INFRASTRUCTURE_ERROR: ("!", "lost", "c"),
}


@dataclass(frozen=True)
class Sign:
    """A run's cell in the grid. words: what the sign means. kind: of its colour. answer: the id of the element with the
    answer, or empty.
    """

    sign: str
    words: str
    kind: str
    answer: str


@dataclass(frozen=True)
class GridLine:
    task_id: str
    problem: str  # the id of its element, or empty
    signs: tuple[Sign | None, ...]


@dataclass(frozen=True)
class Group:
    """Problems that the same kind of runs solved. open: whether it is shown at once."""

    heading: str
    open: bool
    lines: tuple[GridLine, ...]


@dataclass(frozen=True)
class Given:
    """One answer, and the runs that gave it. sides: the lines of the first answer and of this one, if they are shown
    beside each other; each with whether it differs.
    """

    id: str
    names: str
    words: str
    kind: str
    reason: str
    code: str
    answer: str
    sides: tuple[tuple[str | None, str | None, bool], ...] = ()

    @property
    def size(self) -> int:
        """Bytes on the page, about."""
        texts = [self.code, self.answer, self.reason]
        texts += [line or "" for pair in self.sides for line in pair[:2]]
        return sum(len(page_lines(text).encode()) + 30 for text in texts) + _OVERHEAD


@dataclass(frozen=True)
class Problem:
    """first: the name of the run whose answer the others are compared with. prompt: as it was sent; empty if it was not
    kept.
    """

    id: str
    task_id: str
    words: str
    expected: str
    first: str
    given: tuple[Given, ...]
    prompt: str = ""

    @property
    def size(self) -> int:
        """Bytes on the page, about."""
        prompt = len(page_lines(self.prompt).encode())
        return prompt + sum(one.size for one in self.given) + _OVERHEAD


@dataclass(frozen=True)
class Problems:
    """names: of the runs. left_out: problems whose answers aren't shown. unlisted: problems that aren't in the grid."""

    names: tuple[str, ...] = ()
    groups: tuple[Group, ...] = ()
    problems: tuple[Problem, ...] = ()
    left_out: int = 0
    unlisted: int = 0


def problems_of(
    table: Table, names: Mapping[str, str], *, prefix: str, most_bytes: int, warn: Callable[[str], None]
) -> Problems:
    """names: of the runs, by id. prefix: of elements' ids. most_bytes: of the answers. warn: as in `problem_grid`."""
    grid = problem_grid(table, warn=warn)
    listed = grid[:MOST_PROBLEMS]
    shown, answers = _answers(table, names, listed, prefix, most_bytes)
    groups: list[Group] = []
    alone = len(table.rows) == 1
    for solved in Solved:
        lines = tuple(_line(row, shown.get(row.task_id), answers) for row in listed if row.solved is solved)
        if lines:
            heading = f"{(_ALONE if alone else _HEADINGS)[solved]} ({len(lines)})"
            groups.append(Group(heading, not groups or alone, lines))
    return Problems(
        names=tuple(names[row.record.run_id] for row in table.rows),
        groups=tuple(groups),
        problems=tuple(shown.values()),
        left_out=len(grid) - len(shown),
        unlisted=len(grid) - len(listed),
    )


_Answers = dict[tuple[str, int], str]  # the id of the element, by problem and position of the run


def _answers(
    table: Table, names: Mapping[str, str], rows: Sequence[GridRow], prefix: str, most_bytes: int
) -> tuple[dict[str, Problem], _Answers]:
    wanted = {row.task_id for row in rows}
    given = [answers_of(row.folder, wanted) for row in table.rows]
    prompts = _prompts(table)
    called = [names[row.record.run_id] for row in table.rows]
    shown: dict[str, Problem] = {}
    found: _Answers = {}
    room = most_bytes
    for row in rows:
        each = [answers.get(row.task_id, []) for answers in given]
        if not any(completion.completion or completion.answer for own in each for completion in own):
            continue
        problem, places = _problem(f"{prefix}-{len(shown)}", row, called, each)
        problem = replace(problem, prompt=prompts.get(row.task_id, ""))
        room -= problem.size
        if room < 0:
            break
        shown[row.task_id] = problem
        found |= {(row.task_id, run): place for run, place in places.items()}
    return shown, found


def _prompts(table: Table) -> dict[str, str]:
    """By problem, of the first run that kept them; the runs of a table were asked the same."""
    for row in table.rows:
        try:
            found = read_prompts(row.folder.path)
        except BenchError:
            continue
        if found:
            return {task: _bounded(_asked(prompt)) for task, prompt in found.items()}
    return {}


def _asked(prompt: SentPrompt) -> str:
    if not prompt.messages:
        return prompt.text
    several = len(prompt.messages) > 1
    return "\n\n".join(
        f"{each.role}:\n{each.content}" if several else each.content for each in prompt.messages
    )


def _problem(
    name: str, row: GridRow, called: Sequence[str], each: Sequence[Sequence[Completion]]
) -> tuple[Problem, dict[int, str]]:
    """The problem with its different answers, and the id of each run's answer."""
    kinds: dict[tuple[str, Outcome, str], list[tuple[int, Completion]]] = {}
    for run, completions in enumerate(each):
        for completion in _telling(completions):
            text = completion.completion or completion.answer
            kinds.setdefault((text, completion.outcome, why_in_a_line(completion)), []).append(
                (run, completion)
            )
    places: dict[int, str] = {}
    given: list[Given] = []
    first = next(iter(kinds.values()))[0]
    for number, several in enumerate(kinds.values()):
        place = f"{name}-{number}"
        for run, _ in several:
            places.setdefault(run, place)
        names = ", ".join(dict.fromkeys(called[run] for run, _ in several))
        given.append(_given(place, names, several[0][1], None if number == 0 else first[1]))
    runs = sum(cell is not None for cell in row.cells)
    words = f"solved by {row.solvers} of {runs}" if runs > 1 else ""
    expected = next((one.expected for own in each for one in own if one.expected is not None), None)
    return (
        Problem(name, row.task_id, words, _text(expected), called[first[0]], tuple(given)),
        places,
    )


def _telling(completions: Sequence[Completion]) -> list[Completion]:
    """Of a run's completions of one problem, the first that failed and the first that passed."""
    kinds = {completion.passed: completion for completion in reversed(completions)}
    return [kinds[passed] for passed in (False, True) if passed in kinds]


def _given(place: str, names: str, completion: Completion, first: Completion | None) -> Given:
    code = _bounded(completion.completion)
    _, words, kind = SIGNS[completion.outcome]
    sides: tuple[tuple[str | None, str | None, bool], ...] = ()
    if first is not None and first.passed != completion.passed and first.completion and code:
        pairs = side_by_side(_bounded(first.completion), code)
        sides = tuple((pair.first, pair.second, not pair.same) for pair in pairs or ())
    answer = "" if completion.passed and code else _bounded(completion.answer)
    return Given(
        id=place,
        names=names,
        words=words,
        kind=kind,
        reason=_bounded(why_in_a_line(completion)),
        code="" if sides else code,
        answer="" if answer.strip() == code.strip() else answer,
        sides=sides,
    )


def _line(row: GridRow, problem: Problem | None, answers: _Answers) -> GridLine:
    signs = tuple(
        _sign(cell, answers.get((row.task_id, run), "")) if cell is not None else None
        for run, cell in enumerate(row.cells)
    )
    return GridLine(row.task_id, problem.id if problem is not None else "", signs)


def _sign(cell: GridCell, answer: str) -> Sign:
    sign, words, kind = SIGNS[cell.outcome]
    if cell.total > 1:
        kind = "p" if cell.passed == cell.total else "s" if cell.passed else kind
        return Sign(f"{cell.passed}/{cell.total}", f"{cell.passed} of {cell.total} solved", kind, answer)
    return Sign(sign, words, kind, answer)


def _text(value: object) -> str:
    return "" if value is None else _bounded(value if isinstance(value, str) else str(value))


def _bounded(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    left_out = len(text) - _LONGEST
    middle = f"\n[{left_out:,} characters are left out here]\n"
    return f"{text[: _LONGEST * 2 // 3]}{middle}{text[-_LONGEST // 3 :]}"
