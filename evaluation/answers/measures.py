"""The number of a sentence that is no mere measure, such as the 3 of `18 apples in 3 days`."""
# ruff: noqa: RUF001 - apostrophes as models write them

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evaluation.answers.number_text import NUMBER, value

if TYPE_CHECKING:
    from decimal import Decimal

_BEFORE_CHARS = 60


def _not_behind(*words: str) -> str:
    return "".join(rf"(?<!\b{word} )" for word in words)


# What stands before a number that only says how long, of how many, at which price.
_MEASURE = re.compile(
    rf"(?:\b{_not_behind('results', 'resulting', 'result', 'brings', 'brought', 'bring', 'total')}in"
    r"|\b(?:including|excluding|counting|considering|per|every|each|within|during|over|after|before|across|among|between|of\s+wh(?:ich|om)|as\s+\w+\s+as(?:\s+[\w'’]+)?|until|(?:than|compared\s+(?:to|with))(?:\s+\w+['’]s)?"
    r"|throughout|on|from)"
    r"|\buntil(?:\s+\w+){1,3}"
    r"|(?:\d|\bwith\s+an?)\s+(?:remainder|r)(?:\s+of)?"
    r"|(?:\b(?:out|left|remaining|rest|all|any|(?:on|for|to|in|at|from|with)\s+each)|,|\d(?:\s+[a-z]+)?)\s+of|\bof\s+(?:the|his|her|their|its|all|those|these|my|our)"
    rf"|\b{_not_behind('leaves', 'stands', 'remains', 'priced', 'is', 'was')}at"
    r"|\b(?:by|after|when|while|for|from)\s+\w+ing(?:\s+(?:away|up|out|off|back|down))?"
    rf"|\b{_not_behind('has', 'have', 'had', 'needs', 'need', 'going', 'able', 'got', 'required')}to"
    r"\s+(?!find\b|get\b|obtain\b|be\b|about\b|just\b|only\b)[a-z]+"
    rf"|\b{_not_behind('sold', 'paid', 'sells')}for"
    rf"|\b{_not_behind('left', 'her', 'him', 'them', 'us', 'you', 'up')}with)"
    r"(?:\s+(?:the|a|an|his|her|their|its|all|each|every|those|these|about|only|just|another|other|first|last|next"
    r"|remaining|leftover|extra|whole))*"
    r"\s+[-(]?\s*$",
    re.IGNORECASE,
)
# The 2 of `day 2` and `2nd`, and what joins a measure to the next: `for 3 red and 2 blue ones`.
_NAME = re.compile(
    r"\d:$|\b(?:days?|stops?|steps?|parts?|box|weeks?|months?|years?|questions?|cases?|no\.|items?|options?|rounds?"
    r"|chapters?|pages?)\s+$",
    re.IGNORECASE,
)
# The 2 of `2nd` and of `2:30`; the 6 of `, 6 fewer than before`; the 60 of `24 students, or 60%`.
_BEHIND_MEASURE = re.compile(r"(?:st|nd|rd|th)\b|:\d\d\b|\s?[ap]\.?m\b|-[a-z]{2,}", re.IGNORECASE)
_COMPARED = re.compile(
    r"\s+(?:\w+\s+)?(?:fewer|less|more|younger|older|shorter|longer|taller|higher|lower|cheaper)\b",
    re.IGNORECASE,
)
_COMPARES = re.compile(
    r"(?:,|\bwhich\s+is|\band\s+that(?:['’]s|\s+is)|\band\b[^,]{0,40}\bis)\s*$", re.IGNORECASE
)
_SHARE = re.compile(r"\s*(?:%|percent\b|/\s?[a-z]+\b)|\s+(?:per|each|an?)\b", re.IGNORECASE)
_OR = re.compile(r"\bor\s+(?:\w+\s+)?$", re.IGNORECASE)
_JOINED = re.compile(
    r"(?:\s*[\w-]+){0,3}\s*(?:,|,?\s+and)\s+(?:(?:the|an?|his|her|their|another)\s+)?(?:(?:day|stop|part|box|week)\s+)?"
)


def main_number(text: str) -> Decimal:
    """The last number of a sentence that is no mere measure, such as the 3 of `in 3 days`."""
    return (mains(text) or [value([*NUMBER.finditer(text)][-1])])[-1]


def mains(text: str) -> list[Decimal]:
    """The numbers of a sentence that are no mere measures."""
    found_mains: list[Decimal] = []
    measured_until, is_found = -1, False
    for found in NUMBER.finditer(text):
        before = text[max(0, found.start() - _BEFORE_CHARS) : found.start()]
        is_joined = (
            is_found and measured_until >= 0 and _JOINED.fullmatch(text, measured_until, found.start())
        )
        if is_joined or _is_measure(before, text[found.end() : found.end() + _BEFORE_CHARS]):
            measured_until = found.end()
        else:
            found_mains.append(value(found))
            measured_until, is_found = -1, True
    return found_mains


def _is_measure(before: str, behind: str) -> bool:
    return bool(
        _MEASURE.search(before)
        or _NAME.search(before)
        or _BEHIND_MEASURE.match(behind)
        or (_COMPARED.match(behind) and _COMPARES.search(before))
        or (_SHARE.match(behind) and _OR.search(before))
    )
