"""Put aside what a model only thought, so that drafts are never taken for its answer."""

from __future__ import annotations

import functools
import itertools
import re
from typing import NamedTuple

from evaluation.answers.quotations import Quotations, is_program
from evaluation.answers.thought_marks import (
    BEGINS_THINKING,
    DOUBTS,
    MARKS,
    may_hold_marks,
    wrappers,
)
from evaluation.answers.turns import own_turn, without_ends

# What may stand in front of a mark: the role and its tokens, which some servers leave in the text.
_ROLE = r"(?:<[|\uff5c][^<>\n]{1,30}[|\uff5c]>)?+"
_MOST_ENDS = 10
_MOST_EARLIER = 5
_HEARD_CHARS = 2000  # of the beginning and the end of a text that is searched for doubts


class _Patterns:
    """Of all marks, compiled when they are needed first: most answers have none, and to compile takes 20 ms."""

    @functools.cached_property
    def openings(self) -> list[re.Pattern[str]]:
        return [re.compile(rf"[\s\ufeff\u200b]*+(?:{marks.opening})") for marks in MARKS]

    @functools.cached_property
    def closings(self) -> list[re.Pattern[str]]:
        return [re.compile(marks.closing) for marks in MARKS]

    @functools.cached_property
    def any_closing(self) -> re.Pattern[str]:
        return re.compile("|".join(marks.closing for marks in MARKS if marks.alone))

    @functools.cached_property
    def any_opening(self) -> re.Pattern[str]:
        return re.compile("|".join(marks.opening for marks in MARKS if not marks.first))

    @functools.cached_property
    def later_opening(self) -> re.Pattern[str]:
        """Within a line it opens a thought where a sentence has ended, or where no blank stands beside it; else it is
        named.
        """
        return re.compile(
            "|".join(
                marks.opening
                if marks.anywhere
                else rf"(?m:^)[ \t]*+{_ROLE}(?:{marks.opening})|(?<=[.!?\u2026])[ \t]{{0,2}}(?:{marks.opening})"
                rf"|(?<=\w)(?:{marks.opening})|(?<=\s)(?:{marks.opening})(?=\w|\n)"
                for marks in MARKS
                if not marks.first
            )
        )


_PATTERNS = _Patterns()


class Spoken(NamedTuple):
    """answer: what was said; reasoning: what was thought; unclosed: the thought was cut, nothing was said; implied: a
    thought ended that had not begun, so the chat template opens one in each prompt.
    """

    answer: str
    reasoning: str
    unclosed: bool = False
    implied: bool = False


def split_reasoning(text: str, reasoning: str = "", *, chat: bool = True) -> Spoken:
    """Split an answer at its thoughts; `reasoning` is what the server has already put aside.

    A thought begins with an opening mark, or with the answer itself where the chat template opened it, and the last
    closing mark ends it: what stands between several thoughts is no answer either, but where nothing follows the last
    one. What the model says as its user behind its turn, and answers, is left out. A mark that is only quoted is text
    like any other. A text that goes on with a prompt (not chat) only has the thoughts that it begins with itself.
    """
    text = own_turn(text) if chat else text
    if not may_hold_marks(text):
        return Spoken(without_ends(text) if chat else text, _joined([reasoning]))
    thoughts = [reasoning] if reasoning else []
    rest, implied = text, False
    while True:
        number, begin = _opened(rest)
        if number is not None:
            end = _last(_PATTERNS.closings[number], rest, begin) or _last(_PATTERNS.any_closing, rest, begin)
            if end is None:
                return _unfinished(thoughts, rest[begin:], implied=implied)
            first = _PATTERNS.closings[number].search(rest, begin, end.start())
            if (
                chat and first and (until := _explained(rest, end, first.end()))
            ):  # it thinks again behind its answer
                thoughts += rest[begin : first.start()], rest[until:]
                said = _unwrapped(without_ends(rest[first.end() : until]), thought=True)
                return Spoken(said, _joined(thoughts), implied=implied)
        elif chat and (end := _last(_PATTERNS.any_closing, rest, 0)):
            if before := _explained(rest, end):
                thoughts.append(rest[before:])
                return Spoken(_unwrapped(without_ends(rest[:before]), thought=True), _joined(thoughts))
            implied = implied or not thoughts
        else:
            break
        thoughts.append(rest[begin : end.start()])
        rest = rest[end.end() :]
    if chat and (
        again := _last(_PATTERNS.later_opening, rest, 0)
    ):  # it thinks again, and does not come to an end
        if (whole := _wrapped(rest[: again.start()])) is not None:
            return Spoken(whole, _joined([*thoughts, rest[again.start() :]]), implied=implied)
        return _unfinished(thoughts, rest, implied=implied)
    if chat:
        rest = _unwrapped(without_ends(rest), thought=len(thoughts) > bool(reasoning))
    return Spoken(rest, _joined(thoughts), implied=implied)


def thinks_aloud(text: str) -> bool:
    """Whether a text without marks reads like a thought: where it was cut, it may be the beginning of one."""
    return bool(
        re.match(BEGINS_THINKING, text[:_HEARD_CHARS].lstrip())
        or re.search(DOUBTS, text[:_HEARD_CHARS])
        or re.search(DOUBTS, text[-_HEARD_CHARS:])
    )


def _opened(text: str) -> tuple[int | None, int]:
    """Which family of marks the text begins with, and where its thought begins."""
    for number, opening in enumerate(_PATTERNS.openings):
        found = opening.match(text)
        if found and not (MARKS[number].first and is_program(text)):
            return number, found.end()
    return None, 0


def _last(marks: re.Pattern[str], text: str, begin: int) -> re.Match[str] | None:
    """The last of these marks behind `begin` that is not merely quoted."""
    found = list(marks.finditer(text, begin))
    if not found:
        return None
    quotations = Quotations(text, begin, _PATTERNS.any_opening)
    real = (mark for mark in reversed(found) if not quotations.hold(mark))
    last = next(real, None)
    for earlier in itertools.islice(real, _MOST_EARLIER):
        if is_program(text[earlier.end() :]):  # the answer, without a fence
            return earlier
    return last


def _explained(text: str, end: re.Match[str], begin: int = 0) -> int:
    """Where reasons begin that stand in marks behind an answer, and nothing behind them, as in
    `B <reasoning>...</reasoning>`; 0 where they don't. begin: of the answer; end: the last closing mark.
    """
    if without_ends(text[end.end() :]).strip():
        return 0
    quotations = Quotations(text, begin, _PATTERNS.any_opening)
    openings = itertools.islice(_PATTERNS.any_opening.finditer(text, begin, end.start()), _MOST_ENDS)
    until = next((mark.start() for mark in openings if not quotations.hold(mark)), begin)
    before = text[begin:until]
    said = bool(before.strip()) and not _PATTERNS.any_closing.search(before) and not thinks_aloud(before)
    return until if said else 0


def _wrapped(text: str) -> str | None:
    """An answer that stands whole between its own marks."""
    for opening, closing in wrappers():
        if (begin := opening.match(text)) and (end := closing.search(text, begin.end())):
            return text[begin.end() : end.start()]
    return None


def _unfinished(thoughts: list[str], rest: str, *, implied: bool) -> Spoken:
    return Spoken("", _joined([*thoughts, rest]), unclosed=True, implied=implied)


def _joined(thoughts: list[str]) -> str:
    return "\n".join(filter(None, (without_ends(thought).strip() for thought in thoughts)))


def _unwrapped(text: str, *, thought: bool) -> str:
    """Without what some models put around the answer behind a thought."""
    for opening, closing in wrappers() if thought else ():
        if found := opening.match(text):
            inner = text[found.end() :]
            ends = list(closing.finditer(inner))
            return inner[: ends[-1].start()] + inner[ends[-1].end() :] if ends else inner
    return text
