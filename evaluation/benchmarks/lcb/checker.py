"""LiveCodeBench's rules of what is a right answer: pure, text in, a reason out.

The rules are those of `lcb_runner/evaluation/testing_util.py` (LiveCodeBench at commit 28fef95, MIT). They run here,
outside the sandbox, on what came out of it: no expected output is ever where a program could see it.
"""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any

_SHOWN = 60


def difference(printed: str, expected: str) -> str:
    """Why what a program printed is not what is expected; empty when it is.

    Both are stripped and compared line by line, each line stripped: equal as text, or, word by word, as decimal
    numbers, exactly. So `1.0` is `1` and `1e3` is `1000`, and no tolerance is given to rounding.
    """
    mine, right = _lines(printed), _lines(expected)
    if len(mine) != len(right):
        return f"{_count(mine, 'line')} instead of {len(right)}"
    for number, (line, wanted) in enumerate(zip(mine, right, strict=True), 1):
        if line != wanted and not _equal_numbers(line, wanted):
            return f"line {number} is {_shown(line)} instead of {_shown(wanted)}"
    return ""


def result_difference(returned: str, expected: str) -> str:
    """Why what a function returned (see `decoded`) is not what is expected, as JSON; empty when it is.

    They are compared as Python compares them: `1 == 1.0 == True`. A tuple counts as a list, but not inside another
    value.
    """
    try:
        value = decoded(returned)
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        return "its return value could not be read"
    if isinstance(value, tuple):
        value = list(value)
    wanted = json.loads(expected)
    try:
        if value == wanted:
            return ""
    except RecursionError:
        return "it returned something nested too deeply"
    return f"it returned {_shown(value)} instead of {_shown(wanted)}"


class Other:
    """A value of a type that equals nothing which JSON can say."""

    def __init__(self, type_name: str) -> None:
        self._type_name = type_name

    def __repr__(self) -> str:
        return f"a {self._type_name}"


def decoded(text: str) -> Any:
    """The value that `inside.coded` wrote in the sandbox: JSON, where {"tuple": [...]}, {"dict": [[key, value], ...]}
    and {"other": "type"} stand for what JSON lacks.

    The program may have written anything instead. Raises ValueError, TypeError, KeyError, IndexError, RecursionError.
    """
    return _value(json.loads(text))


def _value(coded: Any) -> Any:
    if isinstance(coded, list):
        return [_value(item) for item in coded]
    if not isinstance(coded, dict):
        return coded
    if "tuple" in coded:
        return tuple(_value(item) for item in coded["tuple"])
    if "dict" in coded:
        # JSON's keys are text, so no other dict can be right; and numbers may be chosen to have one hash.
        if not all(isinstance(key, str) for key, _item in coded["dict"]):
            return Other("dict with keys that are no text")
        return {key: _value(item) for key, item in coded["dict"]}
    return Other(str(coded["other"])[:_SHOWN])


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().split("\n")]


def _equal_numbers(line: str, wanted: str) -> bool:
    try:
        return [Decimal(word) for word in line.split()] == [Decimal(word) for word in wanted.split()]
    except (InvalidOperation, ValueError):
        return False


def _count(lines: list[str], noun: str) -> str:
    return f"{len(lines)} {noun}{'' if len(lines) == 1 else 's'}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]}...{text[-_SHOWN // 2 :]}"
