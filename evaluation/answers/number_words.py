"""Numbers in words, as an answer states them: `twenty-five`, `one hundred and twenty`."""

from __future__ import annotations

import re
from decimal import Decimal

# fmt: off
_ONES = {
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
