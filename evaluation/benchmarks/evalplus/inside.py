"""Runs inside the sandbox: what EvalPlus expects, and whether a result is that. Also imported outside, to write inputs.

Standard library only: as a script's text it computes expected outputs (`record`), and in the process of the tests it
judges (`Oracle`), where no line of a judged program is. The rules are those of evalplus 0.3.1, `evalplus/eval`.
"""
# ruff: noqa: BLE001, S102, B905 - it executes the reference solution, whatever that raises; zip as of Python 3.9

from __future__ import annotations

import collections
import contextlib
import copy
import datetime as dt
import decimal
import fractions
import io
import itertools
import json
import math
import sys
import time
from typing import Any

MOST_TOLD = 300
_RELATIVE = 1e-7  # of np.testing.assert_allclose
_FLOATS = 1e-6  # the tolerance where floats are expected and a problem has none
_SMALL = 1 << 63
# MBPP+: results of which only matters what is in them; and such of which only matters whether there are any.
SETS = {
    "similar_elements", "find_char_long", "common_in_nested_lists", "extract_singly", "larg_nnum",
    "intersection_array", "find_dissimilar", "Diff",
}  # fmt: skip
NOT_NONE = {"check_str", "text_match_three", "text_starta_endb"}


class NotData(Exception):
    """A value that can't be written down."""


def encoded(value: Any) -> Any:
    """A value as JSON: an array is a list, anything else but a scalar an object of one name. Raises NotData."""
    kind = type(value)
    if value is None or kind in (bool, str, float):
        return value
    if kind is int:
        return value if -_SMALL < value < _SMALL else {"int": hex(value)}
    if kind is list:
        return [encoded(one) for one in value]
    if kind in _WRITTEN:
        return {kind.__name__: _WRITTEN[kind](value)}
    for base, write in _WRITTEN.items():
        if isinstance(value, base):
            return {base.__name__: write(value)}
    item = getattr(value, "item", None)  # a number of NumPy's
    if type(value).__module__ == "numpy" and getattr(value, "shape", None) == () and item is not None:
        return encoded(item())
    plain: Any
    for plain in (str, float, int, list):
        if isinstance(value, plain):
            return encoded(plain(value))
    raise NotData(kind.__name__)


def decoded(node: Any) -> Any:
    """What `encoded` wrote."""
    if type(node) is list:
        return [decoded(one) for one in node]
    if type(node) is not dict:
        return node if node == node else float("nan")  # noqa: PLR0124 - json has one NaN, which would equal itself
    ((name, content),) = node.items()
    return _READ[name](content)


def _each(items: Any) -> list[Any]:
    return [encoded(one) for one in items]


def _flat(value: Any) -> list[Any]:
    return _each(itertools.chain.from_iterable(value.items()))


def _pairs(content: list[Any]) -> Any:
    items = [decoded(one) for one in content]
    return zip(items[::2], items[1::2])


def _all(content: list[Any]) -> Any:
    return (decoded(one) for one in content)


_WRITTEN: dict[type, Any] = {
    tuple: _each,
    set: _each,
    frozenset: _each,
    collections.OrderedDict: _flat,
    collections.Counter: _flat,
    dict: _flat,
    collections.deque: _each,
    complex: lambda value: [value.real, value.imag],
    bytes: lambda value: value.decode("latin-1"),
    bytearray: lambda value: value.decode("latin-1"),
    range: lambda value: [value.start, value.stop, value.step],
    fractions.Fraction: lambda value: _each((value.numerator, value.denominator)),
    decimal.Decimal: str,
    dt.datetime: lambda value: value.isoformat(),
    dt.date: lambda value: value.isoformat(),
    dt.timedelta: lambda value: [value.days, value.seconds, value.microseconds],
}
_READ: dict[str, Any] = {
    "int": lambda text: int(text, 16),
    "tuple": lambda content: tuple(_all(content)),
    "set": lambda content: set(_all(content)),
    "frozenset": lambda content: frozenset(_all(content)),
    "OrderedDict": lambda content: collections.OrderedDict(_pairs(content)),
    "Counter": lambda content: collections.Counter(dict(_pairs(content))),
    "dict": lambda content: dict(_pairs(content)),
    "deque": lambda content: collections.deque(_all(content)),
    "complex": lambda content: complex(*content),
    "bytes": lambda text: text.encode("latin-1"),
    "bytearray": lambda text: bytearray(text.encode("latin-1")),
    "range": lambda content: range(*content),
    "Fraction": lambda content: fractions.Fraction(*_all(content)),
    "Decimal": decimal.Decimal,
    "datetime": dt.datetime.fromisoformat,
    "date": dt.date.fromisoformat,
    "timedelta": lambda content: dt.timedelta(*content),
}


def record(text: str) -> None:
    """Print as a JSON object what the reference solution gives for each input.

    outputs: by input, None where whether there is a result is all that matters; seconds: of processor time, all in
    all; breaks: the numbers of the inputs that break the contract; failed: why there are no outputs.
    """
    asked = json.loads(text)
    inputs = [decoded(one) for one in asked["inputs"]]
    told: dict[str, Any] = {"outputs": [], "seconds": 0.0, "breaks": [], "failed": ""}
    given: Any = None
    channel = sys.stdout
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            reference = _function(asked["code"], asked["entry_point"])
            checked = (
                _function(asked["with_contract"], asked["entry_point"]) if asked["with_contract"] else None
            )
            for number, given in enumerate(inputs):
                own = copy.deepcopy(given)
                began = time.process_time()
                output = reference(*own)
                told["seconds"] += time.process_time() - began
                told["outputs"].append((output is not None) if asked["not_none"] else encoded(output))
                if checked is not None and _raises(checked, copy.deepcopy(given)):
                    told["breaks"].append(number)
    except NotData as error:
        told = {
            **told,
            "outputs": [],
            "failed": f"the reference gives an object of type {error}, which is no data",
        }
    except BaseException as error:
        where = f" for {given!r:.100}" if given is not None else ""
        told = {
            **told,
            "outputs": [],
            "failed": f"the reference raises {type(error).__name__}: {error}{where}"[:MOST_TOLD],
        }
    channel.write("\n" + json.dumps(told) + "\n")


def _function(code: str, name: str) -> Any:
    names: dict[str, Any] = {}
    exec(code, names)
    return names[name]


def _raises(function: Any, given: Any) -> bool:
    try:
        function(*given)
    except Exception:
        return True
    return False


class Oracle:
    """Whether results of one function are right, in the order of its inputs. absolute: the problem's tolerance; once
    floats were expected, a problem without one has one for the inputs behind, too.
    """

    def __init__(self, benchmark: str, name: str, absolute: float) -> None:
        self._is_mbpp = benchmark == "mbpp_plus"
        self._name = name
        self._absolute = absolute

    def judges(self, given: Any, got: Any, expected: Any) -> bool:
        """What can't be compared is not right."""
        try:
            return self._accepts(given, got, expected)
        except Exception:
            return False

    def _accepts(self, given: Any, got: Any, expected: Any) -> bool:
        if not self._is_mbpp and self._name == "find_zero":
            return bool(abs(_polynomial(given[0], got)) <= self._absolute)
        same = self._same(given, got, expected)
        if self._absolute == 0 and _are_floats(expected):
            self._absolute = _FLOATS
        if same or self._absolute == 0:
            return same
        if type(got) is not type(expected):
            return False
        if isinstance(expected, (list, tuple)) and len(got) != len(expected):
            return False
        return all_close(got, expected, self._absolute)

    def _same(self, given: Any, got: Any, expected: Any) -> bool:
        same = bool(got == expected)
        if not self._is_mbpp:
            return same
        name = self._name
        if name in SETS:
            return set(got) == set(expected)
        if name in NOT_NONE:
            return bool(got == expected if isinstance(got, bool) else expected == (got is not None))
        if same or name == "are_equivalent":  # of two readings of that task none is wrong
            return True
        if name == "sum_div":
            return bool(got == 0)
        if name == "surface_Area":
            return bool(abs(got - _surface_of_pyramid(*given)) <= self._absolute)
        if name == "digit_distance_nums":
            return bool(got == _digit_distance(*given))
        return False


def all_close(got: Any, expected: Any, absolute: float) -> bool:
    """As np.allclose with a relative tolerance of 1e-7. Raises TypeError, ValueError for anything but numbers."""
    shape, numbers = _array(got)
    its_shape, its_numbers = _array(expected)
    if shape == its_shape:
        return all(map(_close, numbers, its_numbers, itertools.repeat(absolute)))
    whole = _broadcast(shape, its_shape)
    return all(
        _close(numbers[_place(at, shape)], its_numbers[_place(at, its_shape)], absolute)
        for at in itertools.product(*map(range, whole))
    )


def _close(got: Any, expected: Any, absolute: float) -> bool:
    if got == expected:
        return True
    size = abs(expected)
    return bool(abs(got - expected) <= absolute + _RELATIVE * size) if math.isfinite(size) else False


def _array(value: Any) -> tuple[tuple[int, ...], list[Any]]:
    """Its shape and its numbers."""
    kind = type(value)
    if kind is complex or kind is float:
        return (), [value]
    if kind is int or kind is bool:
        if not -_SMALL <= value < 2 * _SMALL:
            raise TypeError("a number of more than 64 bits")
        return (), [float(value)]
    if kind not in (list, tuple, range, collections.deque):
        raise TypeError(f"{kind.__name__} is no number")
    parts = [_array(one) for one in value]
    shapes = {shape for shape, _ in parts} or {()}
    if len(shapes) > 1:
        raise ValueError("lists of different lengths")
    numbers = [number for _, some in parts for number in some]
    return (len(parts), *shapes.pop()), numbers


def _broadcast(one: tuple[int, ...], other: tuple[int, ...]) -> list[int]:
    count = max(len(one), len(other))
    whole = []
    for own, its in zip((1,) * (count - len(one)) + one, (1,) * (count - len(other)) + other):
        if own != its and 1 not in (own, its):
            raise ValueError("shapes that don't fit")
        whole.append(own if its == 1 else its)
    return whole


def _place(at: tuple[int, ...], shape: tuple[int, ...]) -> int:
    number = 0
    for index, size in zip(at[len(at) - len(shape) :], shape):
        number = number * size + (index if size > 1 else 0)
    return number


def _are_floats(value: Any) -> bool:
    if isinstance(value, (list, tuple)) and value:
        return all(isinstance(one, float) for one in value)
    return isinstance(value, float)


def _polynomial(coefficients: Any, x: Any) -> Any:
    return sum(each * math.pow(x, power) for power, each in enumerate(coefficients))


def _surface_of_pyramid(base_edge: Any, height: Any) -> Any:
    """Its height is that of the apex above the base, not that of a side."""
    slant = math.sqrt((base_edge / 2) ** 2 + height**2)
    return round(base_edge**2 + 4 * (base_edge * slant) / 2)


def _digit_distance(one: Any, other: Any) -> Any:
    """Of numbers of the same length, with zeros before the shorter one."""
    size = max(len(str(one)), len(str(other)))
    return sum(abs(int(a) - int(b)) for a, b in zip(str(one).zfill(size), str(other).zfill(size)))
