"""Numbers in words, as an answer states them: `twenty-five`, `one hundred and twenty`."""

from __future__ import annotations

import re
from decimal import Decimal

# fmt: off
_ONES = {
    "none": 0, "nothing": 0,
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19,
}
_TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}
# fmt: on
_LARGE = {"dozen": 12, "thousand": 1000, "million": 1_000_000, "billion": 1_000_000_000}
_WORD = rf"(?:{'|'.join([*_ONES, *_TENS, 'hundred', *_LARGE])})"
# Nothing but the number, a unit of at most two words, and the end of the clause; not the `one` of `one of them`.
_STATED = re.compile(
    rf"[\W_]{{0,10}}(?:(?:exactly|about|approximately|only|a\s+total\s+of|an?)\s+)?((?:minus|negative)\s+)?"
    rf"({_WORD}(?:(?:\s+and)?[\s-]+{_WORD}\b){{0,12}})\b(?:\s+(?!of\b)[a-z]+){{0,2}}\W*$",
    re.IGNORECASE,
)
_ANYWHERE = re.compile(
    rf"\b(?!(?:one|none|nothing)\b(?![\s-]+{_WORD}\b)){_WORD}(?:(?:\s+and)?[\s-]+{_WORD}\b){{0,12}}\b",
    re.IGNORECASE,
)
# `nine times two is eighteen` ends a text.
_RECKONED = re.compile(
    r"\b(?:times|plus|minus|divided\s+by|multiplied\s+by)\b[^.\d]{1,60}?\s(?:is|equals|makes|gives)\s([^.\d]{1,60})\.?\s*$",
    re.IGNORECASE,
)
_LONGEST = 300  # characters of an answer in words


def reckoned_in_words(line: str) -> Decimal | None:
    """What a line that ends with a calculation in words comes to; None for any other."""
    found = _RECKONED.search(line[-_LONGEST:])
    return number_in_words(found[1]) if found else None


def only_number_in_words(text: str) -> Decimal | None:
    """Of a short text without digits: the number that it names, if it names one only: `There are seven days left.`"""
    if len(text) > _LONGEST:
        return None
    if (reckoned := reckoned_in_words(text.strip())) is not None:
        return reckoned
    named = {number_in_words(found[0]) for found in _ANYWHERE.finditer(text)}
    return named.pop() if len(named) == 1 else None


def number_in_words(clause: str) -> Decimal | None:
    """Of a clause that is nothing else; None for any other."""
    found = _STATED.match(clause)
    if found is None:
        return None
    total = part = 0
    for word in re.findall(r"[a-z]+", found[2].lower()):
        if word in _LARGE:
            total, part = total + max(part, 1) * _LARGE[word], 0
        elif word == "hundred":
            part = max(part, 1) * 100
        else:
            part += _ONES.get(word, 0) + _TENS.get(word, 0)
    return Decimal(-(total + part) if found[1] else total + part)
