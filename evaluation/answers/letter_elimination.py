"""The choice that an answer leaves over: `A, C and D are wrong`, or the only false one where all others are true."""
# ruff: noqa: RUF001 - apostrophes and marks as models write them

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_BEFORE_CHARS, _BEHIND_CHARS = 60, 80
_MOST_GROUPS = 50


def left_over(plain: str, letters: Sequence[str]) -> str | None:
    """Of a plain text that states nothing else: the only choice of which it does not say what it says of all others,
    that they are wrong, or true; None where there is none.
    """
    group, denied_before, denied_behind, affirmed_behind = _patterns("".join(letters))
    denied: set[str] = set()
    affirmed: set[str] = set()
    for count, found in enumerate(group.finditer(plain)):
        if count >= _MOST_GROUPS:
            return None
        named = set(re.findall(r"\b[A-Z]\b", found[0]))
        before = plain[max(0, found.start() - _BEFORE_CHARS) : found.start()]
        behind = plain[found.end() : found.end() + _BEHIND_CHARS]
        if denied_before.search(before) or denied_behind.match(behind):
            denied |= named
        elif affirmed_behind.match(behind):
            affirmed |= named
    if denied & affirmed:
        return None
    rest = set(letters) - denied
    if len(denied) == len(letters) - 1:
        return rest.pop()
    return denied.pop() if len(denied) == 1 and affirmed == rest else None


@functools.cache
def _patterns(letters: str) -> tuple[re.Pattern[str], ...]:
    letter = rf"\(?\b[{re.escape(letters)}]\b\)?(?!['’]\w)"
    noun = r"(?:(?:options?|choices?|answers?|statements?)\s+)?"
    be = (
        r"(?:(?:is|are|was|were|can\s+be|could\s+be|must\s+be|seems?)\s+"
        r"(?:(?:all|both|each|clearly|also|definitely|therefore)\s+)*)"
    )
    verdict_ends = r"(?=\s*(?:[.,;|\n]|$|\(?\b[A-Z]\b))"
    return (
        re.compile(rf"{letter}(?:(?:\s?[,;/&]\s?|\s)(?:and\s|or\s|nor\s)?{noun}{letter})*"),
        re.compile(
            r"(?:\b(?:not|neither|none\s+of(?:\s+the)?|cannot\s+be|rul(?:e|es|ed|ing)\s+out|eliminat(?:e|ed|es|ing)"
            r"|exclud(?:e|ed|es|ing)|discard(?:ed|s|ing)?|reject(?:ed|s|ing)?|nor(?:\s+(?:is|are|do|does|can))?)"
            rf"|n['’]t(?:\s+be)?)\s+(?:either\s+|both\s+)?{noun}$"
            r"|\b(?:wrong|incorrect|false)(?:\s+(?:options?|choices?|answers?|ones?|statements?))?\s*:\s*$|排除\s*$",
            re.IGNORECASE,
        ),
        re.compile(
            rf"\s*(?:\([^()\n]{{0,40}}\)\s*)?(?:[.:–—-]\s*|{be})(?:the\s+)?(?:wrong|incorrect|false|not\b|no\b|out\b|untrue"
            rf"|ruled\s+out|eliminated|excluded|rejected|[✗✘❌])|\s*[✗✘❌]|\s+(?:false|wrong|incorrect|no){verdict_ends}"
            r"|\s+(?:do|does|did|is|are|was|were|could|would|should|can)n['’]t\b"
            r"|\s+(?:do|does|did|can|could)\s*not\b|\s+fails?\b|\s*[都均]?(?:不|错|錯)",
            re.IGNORECASE,
        ),
        re.compile(
            rf"\s*(?:[.:–—-]\s*|{be})(?:true|correct|right|valid|accurate|facts?"
            rf"|(?:characteristics|features|examples|properties)\s+of)\b|\s*[✓✔✅]|\s+(?:true|correct|right|yes){verdict_ends}",
            re.IGNORECASE,
        ),
    )
