"""Whether an argument is what a scenario expects.

A value is expected as it stands: numbers as numbers (3 is 3.0), texts up to case, blanks and a final full stop, lists
in their order, objects by their names. A mapping with one name of `FORMS` is another expectation.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

from evaluation.benchmarks.tools.arguments import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

FORMS = {
    "$any": "true: whatever the schema allows",
    "$one_of": "a list: any of these",
    "$exact": "a text, letter by letter",
    "$contains": "a list of texts that all stand in it",
    "$unordered": "a list whose order is free",
    "$near": "a list of a number and how far it may be off",
    "$optional": "this, or no such argument",
}


def form_of(expected: Any) -> tuple[str, Any]:
    """The name of the special expectation and what stands behind it; ("", the value) where it is none."""
    if isinstance(expected, dict) and len(expected) == 1:
        name, what = next(iter(expected.items()))
        if name.startswith("$"):
            return name, what
    return "", expected


def readable(expected: Any) -> Any:
    """A value that shows what is expected to people."""
    name, what = form_of(expected)
    match name:
        case "$any":
            return "..."
        case "$one_of":
            return readable(what[0])
        case "$contains":
            return f"...{'...'.join(what)}..."
        case "$near":
            return what[0]
    if isinstance(what, dict):
        shown_ones = {key: each for key, each in what.items() if form_of(each)[0] != "$optional"}
        return {key: readable(each) for key, each in shown_ones.items()}
    return [readable(each) for each in what] if isinstance(what, list) else what


def difference(value: Any, expected: Any, at: str = "") -> str:
    """What is wrong with the value, in a line; "" where it is as expected. at: where it stands."""
    name, what = form_of(expected)
    if name:
        return _FORMS[name](value, what, at)
    if isinstance(expected, dict):
        if not isinstance(value, dict):
            return _wrong(value, expected, at)
        return objects_difference(value, expected, at)
    if isinstance(expected, list):
        if not isinstance(value, list) or len(value) != len(expected):
            return _wrong(value, expected, at)
        each = (
            difference(*pair, f"{at}[{number}]")
            for number, pair in enumerate(zip(value, expected, strict=True))
        )
        return next(filter(None, each), "")
    return "" if _is_same(value, expected) else _wrong(value, expected, at)


def objects_difference(value: Mapping[str, Any], expected: Mapping[str, Any], at: str = "") -> str:
    """The same of the members of an object. One that is not expected is wrong."""
    for name, wanted in expected.items():
        place = f"{at}.{name}" if at else name
        form, what = form_of(wanted)
        if name not in value:
            if form != "$optional":
                return f"{place} is missing"
        elif found := difference(value[name], what if form == "$optional" else wanted, place):
            return found
    extra = next((name for name in value if name not in expected), None)
    return "" if extra is None else f"{shown(f'{at}.{extra}' if at else extra)} is not expected"


def normal(text: str) -> str:
    """A text as it is compared: Unicode's compatible form, no case, single blanks, straight quotes, no final stop."""
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_STRAIGHT)
    return " ".join(folded.split()).rstrip(".!? ")


def stands_in(part: str, text: str) -> bool:
    """Whether a text says a part. A number is compared with the numbers in it: 1750 stands in `1,750.00 euros`.

    No part ends in the middle of a number: `20%` does not stand in `120%`, and `5` not in `-5`.
    """
    wanted, given = normal(part), normal(text)
    if not _NUMBER.fullmatch(wanted):
        return _stands_whole(wanted, given)
    number = float(wanted.replace(",", ""))
    return any(float(found[0].replace(",", "")) == number for found in _NUMBER.finditer(given))


def _stands_whole(part: str, text: str) -> bool:
    """Whether it is in the text at a place where no number goes on before or behind it."""
    if part not in text:
        return False
    before = behind = ""
    if part[:1] in _DIGITS:
        before = _NO_MORE_BEFORE
        if _THREE_DIGITS.match(part):
            before += r"(?<!\d,)"
    if part[-1:] in _DIGITS:
        behind = _NO_MORE_BEHIND
    return re.search(f"{before}{re.escape(part)}{behind}", text, re.ASCII) is not None


def _is_same(value: Any, expected: Any) -> bool:
    if isinstance(expected, bool) or isinstance(value, bool):
        return value is expected
    if isinstance(expected, int | float):
        return isinstance(value, int | float) and value == expected
    if isinstance(expected, str):
        return isinstance(value, str) and normal(value) == normal(expected)
    return value is None and expected is None


def _one_of(value: Any, choices: Sequence[Any], at: str) -> str:
    if any(not difference(value, choice, at) for choice in choices):
        return ""
    return f"{at} is {shown(value)}, and none of {shown(list(choices))}"


def _exact(value: Any, expected: str, at: str) -> str:
    return "" if value == expected else _wrong(value, expected, at)


def _contains(value: Any, parts: Sequence[str], at: str) -> str:
    if not isinstance(value, str):
        return _wrong(value, list(parts), at)
    lacking = next((part for part in parts if not stands_in(part, value)), None)
    return "" if lacking is None else f"{at} is {shown(value)}, without {lacking!r}"


def _unordered(value: Any, expected: Sequence[Any], at: str) -> str:
    if not isinstance(value, list) or len(value) != len(expected):
        return _wrong(value, list(expected), at)
    if assigned(value, expected, lambda each, wanted: not difference(each, wanted)) is None:
        return _wrong(value, list(expected), at)
    return ""


def _near(value: Any, expected: Sequence[float], at: str) -> str:
    number, off = expected
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (is_number and number - off <= value <= number + off):
        return f"{at} is {shown(value)}, not {number:g} (within {off:g})"
    return ""


def assigned(
    found: Sequence[Any], wanted: Sequence[Any], fits: Callable[[Any, Any], bool]
) -> list[int] | None:
    """For each found one the wanted one that is its own, so that all have one; None where that is not possible."""
    owner: dict[int, int] = {}

    def place(one: int, tried: set[int]) -> bool:
        for other, want in enumerate(wanted):
            if other not in tried and fits(found[one], want):
                tried.add(other)
                if other not in owner or place(owner[other], tried):
                    owner[other] = one
                    return True
        return False

    if not all(place(one, set()) for one in range(len(found))):
        return None
    places = {one: other for other, one in owner.items()}
    return [places[one] for one in range(len(found))]


def _wrong(value: Any, expected: Any, at: str) -> str:
    return f"{at} is {shown(value)}, not {shown(expected)}"


# A minus is one where nothing stands before it: `5-7` and `B-7` have none.
_NUMBER = re.compile(
    r"(?<![\d.,])(?:(?<!\w)-)?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+(?:\.\d+)?(?!\d))", re.ASCII
)
_DIGITS = tuple("0123456789")
_THREE_DIGITS = re.compile(r"\d{3}(?!\d)", re.ASCII)
_NO_MORE_BEFORE = r"(?<!\d)(?<!\d\.)(?<!^-)(?<!\W-)"
_NO_MORE_BEHIND = r"(?!\d)(?!\.0*[1-9])(?!,\d{3}(?!\d))"
_STRAIGHT = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": "-", "\u2212": "-"}
)
_FORMS: dict[str, Callable[[Any, Any, str], str]] = {
    "$any": lambda _value, _what, _at: "",
    "$one_of": _one_of,
    "$exact": _exact,
    "$contains": _contains,
    "$unordered": _unordered,
    "$near": _near,
    "$optional": difference,
}
