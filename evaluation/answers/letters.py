"""Find the letter of the choice in an answer that a model wrote."""
# ruff: noqa: RUF001 - quotation marks and dashes as models write them

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_NOUN = r"(?:answer|choice|option|letter|selection|response|alternative|pick|solution|statement)"
_IS = r"(?:is|was|be|(?:must|should|would|will|has\s+to|seems\s+to|appears\s+to)\s+be|remains)"
_NAMED = rf"(?:(?:the\s+)?(?:(?:most\s+)?\w{{2,}}+\s+)?{_NOUN}\s+)?"
_SURELY = r"(?:,?\s+(?:most\s+)?(?:\w+ly|indeed|thus|therefore),?(?=\s))?"
_SOME = r"(?:\w+\s+){0,3}?"
# `therefore B.` and `it is C, because`, not `therefore A has`.
_CLAUSE_ENDS = r"(?=\)?\s*+(?:$|[.,;:!—–\n(]|[-]\s|(?:because|since|as|given|due)\b))"
_NOT = re.compile(
    r"\b(?:not|never|neither|nor|cannot|wrong|incorrect|false|worst|least|eliminated?|excluded?|if|whether|suppose|"
    r"assuming|unless|were)\b|n['’]t\b",
    re.IGNORECASE,
)
_NO = (
    r"(?:is|are|was|would\s+be|can\s+be|seems)(?:n['’]t\b|\s+(?:\w+\s+){0,2}?(?:not|never|in\w+|un\w+|im\w+|ir\w+|wrong|"
    r"false|out|ruled|excluded|eliminated)\b)|(?:cannot|can['’]t|can\s+not|does(?:n['’]t|\s+not)|never|is\s+no)\b"
)
_ASKED = r"\)?\s?\?"
# `B is wrong`; of an option that is written out also `B (Heart) is wrong`, but not `B. Heart, because A is wrong`.
_DENIED = re.compile(rf"\)?\s+(?:{_NO})|{_ASKED}", re.IGNORECASE)
_DENIED_BELOW = re.compile(
    rf"(?:(?!\b(?:is|are|was|can|does|because|since|so|and|but|while)\b)[^;?\n]){{0,80}}+\b(?:{_NO})|{_ASKED}",
    re.IGNORECASE,
)
_AFFIRMED = re.compile(r"\b(?:correct|right|true)\b|[✓✔✅]", re.IGNORECASE)
_REJECTED = re.compile(r"\b(?:incorrect|wrong|false|not|untrue|inaccurate)\b|n['’]t\b|[✗✘❌]", re.IGNORECASE)


@dataclass(frozen=True)
class _Patterns:
    """Of a set of letters, for text without marks; the letter is the last group that took part."""

    stated: tuple[re.Pattern[str], ...]
    held_true: tuple[re.Pattern[str], ...]
    begins: re.Pattern[str]
    alone: re.Pattern[str]
    apart: re.Pattern[str]
    mentioned: re.Pattern[str]
    several: re.Pattern[str]


@lru_cache
def _patterns(letters: str) -> _Patterns:
    large, small = re.escape(letters), re.escape(letters.lower())
    capital = rf"(?<!\w)\(?\s?([{large}])(?!\w|['’-]\w)"
    # A small letter is a choice only where a bracket, or the end of a clause, tells it from a word.
    letter = rf"(?:{capital}|(?<!\w)\(\s?([{small}])\s?\)|(?<!\w)([{small}])(?=\)|\s*+(?:$|\n|\.\s|\.$)))"
    subject = rf"(?<![\w'’])\(?([{large}])(?!\w|['’-]\w)[).]{{0,3}}\s+(?:\w+\s+){{0,2}}?{_IS}\s+"

    def made(pattern: str) -> re.Pattern[str]:
        """Words are of any case, letters as they stand."""
        words = re.sub(r"⟦(.*?)⟧", r"(?i:\1)", pattern, flags=re.DOTALL)
        return re.compile(words)

    return _Patterns(
        stated=(
            made(
                rf"⟦\b{_NOUN}\b(?:\s+{_SOME}{_IS}\b{_SURELY}\s*+:?|\s*+(?::|=|：|->|→|[-–—]))\s*+{_NAMED}⟧{letter}"
            ),
            made(
                rf"⟦\b(?:correct|right|best|closest)(?:\s+one)?(?:\s+{_IS}\b|\s*+:)\s*+{_NAMED}⟧{letter}{_CLAUSE_ENDS}"
            ),
            made(rf"⟦\bboxed:\s*+{_NAMED}⟧{letter}"),
            made(
                rf"⟦\b(?:choose|chose|select|selected|pick|picked|go(?:ing)?\s+(?:with|for)|opt\s+for|"
                rf"i(?:['’]d|\s+would)?\s+(?:say|guess))\s+{_NAMED}⟧"
                rf"{letter}{_CLAUSE_ENDS}"
            ),
            made(
                rf"⟦\b(?:therefore|thus|hence|so|consequently|conclusion|actually|correction)\b[\s,:]*+"
                rf"(?:(?:it|that)(?:['’]s|\s+{_IS})\s+)?{_NAMED}⟧{letter}{_CLAUSE_ENDS}"
            ),
            made(rf"⟦\b(?:it|that)(?:['’]s|\s+{_IS})\s+{_NAMED}⟧{letter}(?:(?=\))|{_CLAUSE_ENDS})"),
            made(rf"[.!?:]\s+{letter}[).!]*\s*+\Z"),
            made(
                rf"⟦{subject}(?:(?:the|my|our)\s+(?:\w+\s+){{0,2}}?{_NOUN}\b|(?:the\s+)?(?:only\s+|most\s+)?"
                rf"(?:correct|right|best)\b(?=\s+{_NOUN}\b|\W*+(?:$|(?<=[\n.,;:!])|because|since|as\b)))⟧".replace(
                    f"([{large}])", f"(?-i:([{large}]))"
                )
            ),
        ),
        held_true=(
            made(rf"⟦\banswer\s+⟧{letter}"),
            made(
                rf"⟦{subject}(?:the\s+)?(?:(?!not\b|never\b)\w+\s+)?(?:true|correct|right|best|valid|accurate)\b⟧".replace(
                    f"([{large}])", f"(?-i:([{large}]))"
                )
            ),
        ),
        begins=made(
            rf"(?:[^\w\s(]{{1,3}}+\s++)?⟦(?:{_NOUN}\s+)?⟧(?:\(?([{large}])(?:[).:,\]]++(?!\w)|\s*+$)|\(?([{small}])(?:\)(?!\w)|[.:]\s))"
        ),
        alone=made(
            rf"\s*+⟦(?:{_NOUN}\s+)?⟧(?:\(?([{large}])|\(?([{small}])(?=\)))[\s).:\]]*+"
            rf"|⟦{_NOUN}\s+⟧([{small}])"
        ),
        apart=re.compile(rf"\(([{large}{small}])\)"),
        mentioned=made(rf"⟦\b{_NOUN}\s+⟧{capital}"),
        several=made(rf"\)?\s?(?:,?\s?\b(?:or|and)\b|[/&,])\s?\(?[{large}](?!\w|['’-]\w)"),
    )


def chosen_letter(text: str, letters: Sequence[str]) -> str | None:
    r"""The letter that an answer chooses, or None where it is not clear.

    In this order: the last statement, such as `The answer is (B)`, `Answer: B`, `\boxed{\text{B}}`, `B is correct`,
    `therefore B` or `wait, it is B`; the letter that the answer begins with, such as `B`, `B.`, `b)` or `**B)** text`;
    the same for its last line; the last of `B is true`; the one line of a list that is called correct; the one letter
    that is set apart, as `(B)` or `**B**`, anywhere; the one option that is mentioned. What is denied, asked, supposed
    or said of several letters states nothing. The article in `A femur is a bone` is no answer, nor is a list of all
    choices.
    """
    patterns = _patterns("".join(letters))
    text = _without_marks(text, letters)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (
        _last_stated(text, patterns.stated, patterns.several)
        or _at_the_edges(lines, patterns, letters)
        or _last_stated(text, patterns.held_true, patterns.several)
        or _only_affirmed(lines, patterns)
        or _only(text, patterns.apart)
        or _only(text, patterns.mentioned)
    )


def _without_marks(text: str, letters: Sequence[str]) -> str:
    r"""Without the marks of Markdown, TeX and quotations: a letter alone inside of some stands in brackets, and
    `\boxed{...}` is `boxed: ...`.
    """
    every = re.escape("".join(letters) + "".join(letters).lower())
    text = re.sub(r"\\f?box(?:ed)?\b", " boxed: ", text)
    text = re.sub(r"<((?:final[_ -])?(?:answer|choice|option|letter))>", r" \1: ", text, flags=re.IGNORECASE)
    text = re.sub(r"</?[A-Za-z]\w{1,15}\s?/?>", " ", text)
    text = re.sub(r"\\[A-Za-z]++\s*+(?=\{)|\\[()\[\],;!]", "", text)
    text = re.sub(r"\\[A-Za-z]++", "~", text)
    text = re.sub(rf"(?:\*{{1,3}}|`|\[|<)\(?([{every}])([).:]{{0,2}})(?:\*{{1,3}}|`|\]|>)", r"(\1)\2", text)
    text = re.sub(r"[*`\"“”‘«»${}]|(?<!\w)'|'(?!\w)", "", text)
    return text.replace("_", " ").replace("))", ")")


def _last_stated(text: str, statements: Sequence[re.Pattern[str]], several: re.Pattern[str]) -> str | None:
    last, found = -1, None
    for statement in statements:
        for match in statement.finditer(text):
            at = match.start(match.lastindex or 0)
            if at > last and _is_meant(text, match, several):
                last, found = at, _letter(match)
    return found


def _is_meant(text: str, match: re.Match[str], several: re.Pattern[str]) -> bool:
    """Not denied, asked, supposed, or said of several letters."""
    start, end = match.span(match.lastindex or 0)
    clause = re.split(r"[.,;:!?\n]", text[max(0, match.start() - 60) : match.start()])[-1]
    if _NOT.search(clause) or _NOT.search(text, match.start(), start):
        return False
    return not _DENIED.match(text, end) and not several.match(text, end)


def _letter(match: re.Match[str]) -> str:
    return str(match[match.lastindex or 0]).upper()


def _at_the_edges(lines: Sequence[str], patterns: _Patterns, letters: Sequence[str]) -> str | None:
    """The letter that the first line begins with, else the last one."""
    if not lines:
        return None
    if alone := patterns.alone.fullmatch(lines[0]):
        return _letter(alone)
    begun = [
        (number, _letter(match))
        for number, line in enumerate(lines)
        if (match := patterns.begins.match(line)) and not _DENIED_BELOW.match(line, match.end())
        if not patterns.several.match(line, match.end(match.lastindex or 0))
    ]
    listed = _listed([letter for _, letter in begun], letters)
    for number, letter in begun[listed:]:
        if number == 0:
            return letter
    if begun[listed:] and begun[-1][0] == len(lines) - 1:
        is_only = len({letter for _, letter in begun[listed:]}) == 1
        return begun[-1][1] if is_only or patterns.alone.fullmatch(lines[-1]) else None
    return None


def _listed(begun: Sequence[str], letters: Sequence[str]) -> int:
    """How many lines at the beginning only repeat the choices, in their order."""
    count = 0
    while count < min(len(begun), len(letters)) and begun[count] == letters[count]:
        count += 1
    return count if count > 1 else 0


def _only_affirmed(lines: Sequence[str], patterns: _Patterns) -> str | None:
    """Of a list with a verdict on each choice."""
    found = {
        _letter(match)
        for line in lines
        if (match := patterns.begins.match(line)) and _AFFIRMED.search(line) and not _REJECTED.search(line)
    }
    return found.pop() if len(found) == 1 else None


def _only(text: str, pattern: re.Pattern[str]) -> str | None:
    found = {_letter(match) for match in pattern.finditer(text) if not _DENIED_BELOW.match(text, match.end())}
    return found.pop() if len(found) == 1 else None
