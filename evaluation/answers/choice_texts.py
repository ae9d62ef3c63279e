"""Find the choice in an answer that repeats its text and names no letter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evaluation.answers.letter_text import plain_text

if TYPE_CHECKING:
    from collections.abc import Sequence

# Longer answers are explanations, where a text that is a choice may stand by chance.
_LONGEST_LINE = 400
_STATES = re.compile(
    r"(?:\b(?:answer|(?:correct|right|best|final|my)\s+(?:choice|option))\b(?:\s+\w+){0,3}?\s*(?:\bis\b|:)|\bboxed:)"
    r"\s*:?\s*",
    re.IGNORECASE,
)
_LABEL = re.compile(r"^\W*(?:the\s+)?(?:(?:final|correct)\s+)?answer(?:\s+is)?\W+", re.IGNORECASE)
_IT_IS = re.compile(
    r"^(?:(?:it|they|this|that)(?:['\u2019]s|\s+(?:is|are|was|would\s+be|must\s+be))?\s+)?(?:(?:the|an?)\s+)?(?=\w)"
)


def chosen_text(text: str, choices: Sequence[str], letters: Sequence[str]) -> str | None:
    """The letter of the only choice whose text is stated as the answer, or is its first or last line; None where there
    is none, or several.
    """
    lines = [line for line in plain_text(text, letters).splitlines() if line.strip()]
    if not lines:
        return None
    by_text: dict[str, str | None] = {}
    for letter, choice in zip(letters, choices, strict=False):
        bare = _bare(plain_text(choice, letters))
        by_text[bare] = None if bare in by_text else letter
        for named in (f"{letter} {bare}".casefold(), f"{bare} {letter}".casefold()):
            by_text.setdefault(named, letter)
    said = {_bare(found) for line in (*lines[-1:], *lines[:1]) for found in _stated(line[:_LONGEST_LINE])}
    found = {by_text[bare] for bare in said if bare and bare in by_text}
    return found.pop() if len(found) == 1 else None


def _stated(line: str) -> list[str]:
    """A line without its label, and what stands behind each `answer is` in it, up to the end of a sentence."""
    ends = [match.end() for match in _STATES.finditer(line)]
    return [
        line,
        _LABEL.sub("", line),
        *(re.split(r"[.;](?:\s|$)", line[end:], maxsplit=1)[0] for end in ends),
    ]


def _bare(text: str) -> str:
    """Without case, articles and `it is` at the beginning, blanks and marks around it."""
    return _IT_IS.sub("", re.sub(r"\s+", " ", text).casefold().strip(" .,:;!?-()'\"~"))
