"""Runs inside the sandbox: values between the process of a completion and that of its tests, as plain data in frames.

Standard library only: this source stands before the zygote's own (sandbox/inside/zygote.py).

A frame is a length (4 bytes, big endian) and JSON. Only what a test can compare without calling anything of the
completion's crosses: a value of a built-in type, or of the standard library's containers and numbers, built anew on the
other side. Of a subclass the built-in value crosses, so that no method of its own does (`__eq__`). An iterator stays
where it is, and gives its items one by one. Any other object arrives as a `Token`.

`unpack` is what guards the tests' process: it takes nothing but what `pack` can have made, whatever comes.
"""

import builtins
import collections
import contextlib
import datetime
import decimal
import fractions
import itertools
import json
import os
import struct
import sys
import types
import typing
from typing import Any

from sandbox.inside.child import describe

_encode = json.JSONEncoder(separators=(",", ":")).encode  # `json.dumps` makes a new one each time
MOST_BYTES = 64 << 20  # of a frame: an answer of ten million numbers
_SMALL = (
    1 << 63
)  # beyond it an integer crosses in hexadecimal digits, which take time by their number and no more
_SCALARS = (type(None), bool, str, float)
_TYPES = {name: value for name, value in vars(builtins).items() if isinstance(value, type)}
# What may be raised on the other side. The two that are taken out steer loops and generators without being seen.
ERRORS = {name: kind for name, kind in _TYPES.items() if issubclass(kind, Exception)}
for _name in ("StopIteration", "StopAsyncIteration"):
    del ERRORS[_name]
for _name in {"UnicodeDecodeError", "UnicodeEncodeError", "UnicodeTranslateError", "ExceptionGroup"} & set(
    ERRORS
):
    del ERRORS[_name]  # want arguments


class BrokenChannel(Exception):
    """What came is no frame, or no value that `pack` makes."""


class Token:
    """Stands for an object that is no data: it has a truth value and a type's name, and equals nothing."""

    __slots__ = ("_name", "_truth")
    __hash__ = object.__hash__

    def __init__(self, name: str, truth: bool) -> None:
        self._name, self._truth = name, truth

    def __eq__(self, _other: object) -> bool:
        return False

    def __bool__(self) -> bool:
        return self._truth

    def __repr__(self) -> str:
        return f"<{self._name} object>"


class Items(Token):
    """Stands for what can be iterated once; its items come as they are asked for."""

    __slots__ = ("_next",)
    __hash__ = object.__hash__

    def __init__(self, name: str, truth: bool, following: typing.Callable[[], Any]) -> None:
        super().__init__(name, truth)
        self._next = following

    def __iter__(self) -> "Items":
        return self

    def __next__(self) -> Any:
        return self._next()


class Peer:
    """One end of the channel. other: what a value that is no data is packed as. broken: called where the other side is
    gone or talks nonsense; it does not return.
    """

    def __init__(
        self,
        reading: int,
        writing: int,
        other: typing.Callable[[Any], Any],
        broken: typing.Callable[[Exception], typing.NoReturn],
    ) -> None:
        self._reading, self._writing = reading, writing
        self._other, self._broken = other, broken
        self._kept: list[typing.Iterator[Any]] = []
        self._read = bytearray()

    def tell(self, message: dict[str, Any]) -> None:
        try:
            send(self._writing, message)
        except OSError as error:
            self._broken(error)

    def answer(self, message: dict[str, Any]) -> None:
        """Tell it; what is too large or no data after all is an error of the one that made it."""
        try:
            self.tell(message)
        except Exception as error:
            self.tell({"raised": told(error)})

    def hear(self) -> dict[str, Any]:
        """What comes, once what the other side wants of iterators kept here is answered."""
        while True:
            try:
                said = self._frame()
                if type(said) is not dict:
                    raise BrokenChannel("no message")
                if "next" not in said:
                    return said
                place = said["next"]
                if type(place) is not int or not 0 <= place < len(self._kept):
                    raise BrokenChannel("no such iterator")
            except (BrokenChannel, EOFError, OSError) as error:
                self._broken(error)
            self.answer(self._item(self._kept[place]))

    def _frame(self) -> Any:
        """The next one, most often read in one piece. Raises BrokenChannel, EOFError, OSError."""
        while True:
            if len(self._read) >= 4:
                length = int.from_bytes(self._read[:4], "big")
                if length > MOST_BYTES:
                    raise BrokenChannel(f"a frame of {length} bytes")
                end = 4 + length
                if len(self._read) >= end:
                    break
            part = os.read(self._reading, 1 << 16)
            if not part:
                raise EOFError
            self._read += part
        data = self._read[4:end]
        del self._read[:end]
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise BrokenChannel(f"no JSON: {type(error).__name__}") from None

    def pack(self, value: Any) -> Any:
        return pack(value, self._keep, self._other)

    def unpack(self, node: Any) -> Any:
        try:
            return unpack(node, self._following)
        except BrokenChannel as error:
            self._broken(error)

    def raised(self, said: dict[str, Any]) -> BaseException:
        """What the other side says that it raised, as an exception of a type that stands for it."""
        parts = said.get("raised")
        if (
            type(parts) is not list
            or [type(part) for part in parts] != [str, str, str]
            or parts[0] not in ERRORS
        ):
            self._broken(BrokenChannel("neither a value nor an error"))
        base, name, text = parts
        error = type("Raised", (ERRORS[base],), {"__str__": lambda _self: text})
        try:
            error.__name__ = error.__qualname__ = name
        except ValueError:  # no name for a type: it holds a NUL, or half of a pair
            self._broken(BrokenChannel("no name of an error"))
        return typing.cast("BaseException", error())

    def _keep(self, iterator: typing.Iterator[Any]) -> int:
        self._kept.append(iterator)
        return len(self._kept) - 1

    def _item(self, iterator: typing.Iterator[Any]) -> dict[str, Any]:
        try:
            return {"item": self.pack(next(iterator))}
        except StopIteration:
            return {"end": True}
        except Exception as error:
            return {"raised": told(error)}

    def _following(self, place: int) -> Any:
        self.tell({"next": place})
        said = self.hear()
        if "item" in said:
            return self.unpack(said["item"])
        if "end" in said:
            raise StopIteration
        raise self.raised(said)


def told(error: BaseException) -> list[str]:
    """An exception as it crosses: the nearest type of ours, its own type's name, its text."""
    base = next(
        (kind.__name__ for kind in type(error).__mro__ if ERRORS.get(kind.__name__) is kind), "Exception"
    )
    name, _, text = describe(error).decode("utf-8", "replace").partition(": ")
    return [base, name, text]


def send(descriptor: int, value: Any) -> None:
    """A packed value. Raises OSError, ValueError where it is too large."""
    data = _encode(value).encode()
    if len(data) > MOST_BYTES:
        raise ValueError(f"a value of {len(data)} bytes is too large to be compared")
    write_all(descriptor, struct.pack(">I", len(data)) + data)


def write_all(descriptor: int, data: Any) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def read_exactly(descriptor: int, count: int) -> bytes:
    """Less only at the end."""
    parts = []
    while count:
        part = os.read(descriptor, min(count, 1 << 20))
        if not part:
            break
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def pack(
    value: Any, keep: typing.Callable[[typing.Iterator[Any]], int], other: typing.Callable[[Any], Any]
) -> Any:
    """What `unpack` makes the value of again.

    A list is an array, a scalar itself, anything else an object of one name: its kind. keep: takes in an iterator,
    gives its number. other: the node of a value that is no data.
    """
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is int:
        return value if -_SMALL < value < _SMALL else {"int": hex(value)}

    def each(items: typing.Iterable[Any]) -> list[Any]:
        return [pack(item, keep, other) for item in items]

    if kind is list:
        return each(value)
    if kind is tuple:
        return {"tuple": each(value)}
    for base, packed in _PLAIN.items():
        if isinstance(value, base):
            return packed(value, each)
    if isinstance(value, type):
        return {"type": value.__name__} if _TYPES.get(value.__name__) is value else other(value)
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, getattr(numpy, "generic", ())):
        item = typing.cast("Any", value).item()
        return other(value) if type(item) is kind else pack(item, keep, other)
    if any(
        "__iter__" in vars(base) for base in kind.__mro__
    ):  # not by `hasattr`, which sees an Enum's own class
        with contextlib.suppress(TypeError):  # as an array without dimensions has it
            return {"items": [str(kind.__name__), truth(value), keep(iter(value))]}
    return other(value)


def token(value: Any) -> Any:
    """The node of an object that is no data."""
    return {"object": [str(type(value).__name__), truth(value)]}


def truth(value: Any) -> bool:
    try:
        return bool(value)
    except Exception:  # an array's is ambiguous
        return True


# In the order in which they are tried: a subclass before its base.
_PLAIN: dict[type, typing.Callable[[Any, typing.Callable[[Any], list[Any]]], Any]] = {
    str: lambda value, _: str.__str__(value),
    int: lambda value, _: {"int": hex(int.__index__(value))},
    float: lambda value, _: float.__pos__(value),
    complex: lambda value, _: {"complex": [value.real, value.imag]},
    bytes: lambda value, _: {"bytes": bytes.__getitem__(value, slice(None)).decode("latin-1")},
    bytearray: lambda value, _: {"bytearray": bytearray.__getitem__(value, slice(None)).decode("latin-1")},
    list: lambda value, each: each(list.__iter__(value)),
    tuple: lambda value, each: {"tuple": each(tuple.__iter__(value))},
    set: lambda value, each: {"set": each(set.__iter__(value))},
    frozenset: lambda value, each: {"frozenset": each(frozenset.__iter__(value))},
    collections.OrderedDict: lambda value, each: {"OrderedDict": _flat(value, each)},
    collections.Counter: lambda value, each: {"Counter": _flat(value, each)},
    dict: lambda value, each: {"dict": _flat(value, each)},
    collections.UserDict: lambda value, each: {"dict": _flat(dict(value.data), each)},
    collections.ChainMap: lambda value, each: {"dict": _flat(dict(value), each)},
    types.MappingProxyType: lambda value, each: {"dict": _flat(dict(value), each)},
    collections.UserList: lambda value, each: each(list(value.data)),
    collections.UserString: lambda value, _: str(value.data),
    memoryview: lambda value, _: {"bytes": value.tobytes().decode("latin-1")},
    collections.deque: lambda value, each: {"deque": [value.maxlen, *each(value)]},
    range: lambda value, each: {"range": each((value.start, value.stop, value.step))},
    type({}.keys()): lambda value, each: {"keys": each(value)},
    type({}.values()): lambda value, each: {"values": each(value)},
    type({}.items()): lambda value, each: {"pairs": each(itertools.chain.from_iterable(value))},
    fractions.Fraction: lambda value, each: {"Fraction": each((value.numerator, value.denominator))},
    decimal.Decimal: lambda value, _: {"Decimal": decimal.Decimal.__str__(value)},
    datetime.datetime: lambda value, _: {"datetime": datetime.datetime.isoformat(value)},
    datetime.date: lambda value, _: {"date": datetime.date.isoformat(value)},
    datetime.time: lambda value, _: {"time": datetime.time.isoformat(value)},
    datetime.timedelta: lambda value, each: {
        "timedelta": each((value.days, value.seconds, value.microseconds))
    },
}


def _flat(value: Any, each: typing.Callable[[Any], list[Any]]) -> list[Any]:
    return each(itertools.chain.from_iterable(dict.items(value)))


def unpack(node: Any, following: typing.Callable[[int], Any]) -> Any:
    """The value. following: gives the next item of the iterator of that number. Raises BrokenChannel."""
    try:
        return _unpack(node, following)
    except BrokenChannel:
        raise
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise BrokenChannel(f"no value: {type(error).__name__}") from None


def _unpack(node: Any, following: typing.Callable[[int], Any]) -> Any:
    kind = type(node)
    if kind in _SCALARS or kind is int:
        return node
    if kind is list:
        return [_unpack(item, following) for item in node]
    ((name, content),) = node.items()
    if name in {"object", "items"}:
        title, truth, *number = content
        if type(title) is not str or type(truth) is not bool:
            raise BrokenChannel(f"no {name}")
        if name == "object" and not number:
            return Token(title, truth)
        (place,) = number
        if type(place) is not int:
            raise BrokenChannel(f"no {name}")
        return Items(title, truth, lambda: following(place))
    if type(content) is list:
        return _FROM_ITEMS[name](*[_unpack(item, following) for item in content])
    if type(content) is not str:
        raise BrokenChannel(f"no {name}")
    return _FROM_TEXT[name](content)


def _whole(number: Any) -> int:
    """Not a text: "1e999999999" is a short one and a long number."""
    if type(number) is not int:
        raise BrokenChannel("no whole number")
    return number


def _pairs(flat: Any) -> Any:
    return zip(flat[::2], flat[1::2])


_FROM_ITEMS: dict[str, typing.Callable[..., Any]] = {
    "tuple": lambda *items: items,
    "set": lambda *items: set(items),
    "frozenset": lambda *items: frozenset(items),
    "dict": lambda *flat: dict(_pairs(flat)),
    "OrderedDict": lambda *flat: collections.OrderedDict(_pairs(flat)),
    "Counter": lambda *flat: collections.Counter(dict(_pairs(flat))),
    "deque": lambda maxlen, *items: collections.deque(items, maxlen),
    "range": range,
    "keys": lambda *items: dict.fromkeys(items).keys(),
    "values": lambda *items: dict(enumerate(items)).values(),
    "pairs": lambda *flat: dict(_pairs(flat)).items(),
    "complex": lambda real, imaginary: complex(float(real), float(imaginary)),
    "Fraction": lambda above, below: fractions.Fraction(_whole(above), _whole(below)),
    "timedelta": datetime.timedelta,
}
_FROM_TEXT: dict[str, typing.Callable[[str], Any]] = {
    "type": lambda name: _TYPES[name],
    "int": lambda text: int(text, 16),
    "bytes": lambda text: text.encode("latin-1"),
    "bytearray": lambda text: bytearray(text.encode("latin-1")),
    "Decimal": decimal.Decimal,
    "datetime": datetime.datetime.fromisoformat,
    "date": datetime.date.fromisoformat,
    "time": datetime.time.fromisoformat,
}
