"""Find the choice in an answer that repeats its text and names no letter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evaluation.answers.letter_text import plain_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Longer answers are explanations, where a text that is a choice may stand by chance.
_LONGEST_LINE = 400
_STATES = re.compile(
    r"(?:\b(?:answer|(?:correct|right|best|final|my)\s+(?:choice|option))\b(?:\s+\w+){0,3}?\s*(?:\bis\b|:)|\bboxed:)"
    r"\s*:?\s*",
    re.IGNORECASE,
)
_REASON = re.compile(r"[.;](?:\s|$)|\s\(|,?\s+(?:because|since|as|which|not)\b")
_BINDS = re.compile(r"^[a-z]\s*=\s*(?=\S)", re.IGNORECASE)
_CONCLUDES = re.compile(
    r"\W*(?:so|therefore|thus|hence|in\s+(?:conclusion|summary|short)|overall|consequently)\b", re.IGNORECASE
)
_OPPOSES = re.compile(
    r"\b(?:not|no|never|neither|nor|cannot|except|unlike|without|false|incorrect|wrong|if|could|might|may|would)\b|n['\u2019]t\b|\?",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]{3}")
_LONGEST_SENTENCE = 200
_LABEL = re.compile(r"^\W*(?:the\s+)?(?:(?:final|correct)\s+)?answer(?:\s+is)?\W+", re.IGNORECASE)
_IT_IS = re.compile(
    r"^(?:(?:it|they|this|that)(?:['\u2019]s|\s+(?:is|are|was|would\s+be|must\s+be))?\s+)?(?:(?:the|an?)\s+)?(?=\w)"
)
_SURELY = re.compile(
    r"^\W*(?:clearly|definitely|obviously|probably|certainly|surely|likely|most\s+likely|of\s+course"
    r"|i(?:['\u2019]d)?\s+(?:think|believe|guess|say))\b,?\s+",
    re.IGNORECASE,
)


def chosen_text(text: str, choices: Sequence[str], letters: Sequence[str]) -> str | None:
    """The letter of the only choice whose text is stated as the answer, or is its first or last line; of an answer of
    one sentence, or of a last line that concludes, of the only choice that it names, where that is what something is.
    None where there is none, or several.
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
    if not found and (len(lines) == 1 or _CONCLUDES.match(lines[-1])):
        found = {by_text[bare] for bare in _named(lines[-1], by_text)}
    return found.pop() if len(found) == 1 else None


def _named(line: str, bares: Iterable[str]) -> list[str]:
    """The texts that stand in a line of one sentence, which denies nothing."""
    sentence = re.sub(r"\s+", " ", line.strip()).casefold()
    if len(sentence) > _LONGEST_SENTENCE or re.search(r"[.!;]\s", sentence) or _OPPOSES.search(sentence):
        return []
    named = [
        bare
        for bare in bares
        if _WORD.search(bare) and re.search(rf"(?<!\w){re.escape(bare)}(?!\w)", sentence)
    ]
    # What is asked for is that, as in `what pumps blood is the heart`.
    either = "|".join(map(re.escape, named))
    place = rf"\b(?:is|are|was|were|it['\u2019]s)\s+(?:(?:the|an?)\s+)?(?:{either})(?:\W*$|\s+that\b)"
    return named if named and re.search(place, sentence) else []


def _stated(line: str) -> list[str]:
    """A line without its label, and what stands behind each `answer is` in it, up to the end of a sentence."""
    ends = [match.end() for match in _STATES.finditer(line)]
    return [
        line,
        _LABEL.sub("", line),
        _SURELY.sub("", line),
        _BINDS.sub("", line),
        *(re.split(r"[.;](?:\s|$)", line[end:], maxsplit=1)[0] for end in ends),
        *(line[end:].rpartition(":")[2] for end in ends),
        *(_REASON.split(line[end:], maxsplit=1)[0] for end in ends),
    ]


def _bare(text: str) -> str:
    """Without case, articles and `it is` at the beginning, blanks and marks around it."""
    return _IT_IS.sub("", re.sub(r"\s+", " ", text).casefold().strip(" .,:;!?-()'\"~"))
