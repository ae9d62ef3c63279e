"""Runs inside the sandbox: values as plain data, on their way between a completion and its tests.

Standard library only: this source stands before the zygote's own (sandbox/inside/zygote.py).

Only what a test can compare without calling anything of the completion's crosses: a value of a built-in type, or of the
standard library's containers and numbers, built anew on the other side. Of a subclass the built-in value crosses, so
that no method of its own does (`__eq__`). An iterator stays where it is, and gives its items one by one. Any other
object arrives as a `Token`.

What can be changed (lists, dicts, sets, deques, bytearrays) or used up (iterators) has a number on both sides, in the
order in which it is met. What is met again crosses as that number, so that one object stays one object, also within
itself; and what became of it crosses by its number, too (`contents_of`, `refill`).

`Unpacking` is what guards the tests' process: it takes nothing but what `Packing` can have made, whatever comes.
"""

import builtins
import collections
import contextlib
import datetime
import decimal
import fractions
import itertools
import sys
import types
import typing
from typing import Any

_SMALL = (
    1 << 63
)  # beyond it an integer crosses in hexadecimal digits, which take time by their number and no more
_SCALARS = frozenset((type(None), bool, str, float))
_PLAIN_NODES = _SCALARS | {int}
_TYPES = {name: value for name, value in vars(builtins).items() if isinstance(value, type)}


class BrokenChannel(Exception):
    """What came is no frame, or no value that `Packing` makes."""


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


class Packing:
    """Makes JSON of values; `Unpacking` makes the values again.

    A list is an array, a scalar itself, anything else an object of one name: its kind. keep: takes in an iterator,
    gives its number. other: the node of a value that is no data. objects: those that both sides have numbered already;
    those that are met are added.
    """

    __slots__ = ("_keep", "_numbers", "_other", "objects")

    def __init__(
        self,
        keep: typing.Callable[[typing.Iterator[Any]], int],
        other: typing.Callable[[Any], Any],
        objects: typing.Iterable[Any] = (),
    ) -> None:
        self._keep, self._other = keep, other
        self.objects = list(objects)  # holds on to them, so that no number of theirs is given twice
        self._numbers = {id(one): number for number, one in enumerate(self.objects)}

    def pack(self, value: Any) -> Any:
        kind = type(value)
        if kind in _SCALARS:
            return value
        if kind is int:
            return value if -_SMALL < value < _SMALL else {"int": hex(value)}
        base = (
            kind
            if kind in _PLAIN_TYPES
            else next((one for one in _PLAIN_TYPES if isinstance(value, one)), None)
        )
        if base is not None:
            if base in _NUMBERED:
                number = self._number(value)
                if number is not None:
                    return {"same": number}
            return _PLAIN_TYPES[base](value, self.each)
        if isinstance(value, type):
            return {"type": value.__name__} if _TYPES.get(value.__name__) is value else self._other(value)
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(value, getattr(numpy, "generic", ())):
            item = typing.cast("Any", value).item()
            return self._other(value) if type(item) is kind else self.pack(item)
        if any(
            "__iter__" in vars(base) for base in kind.__mro__
        ):  # not by `hasattr`, which sees an Enum's own class
            with contextlib.suppress(TypeError):  # as an array without dimensions has it
                iterator = iter(value)
                number = self._number(value)
                if number is not None:
                    return {"same": number}
                return {"items": [str(kind.__name__), truth(value), self._keep(iterator)]}
        return self._other(value)

    def each(self, items: typing.Iterable[Any]) -> list[Any]:
        return [
            item
            if (kind := type(item)) in _SCALARS or (kind is int and -_SMALL < item < _SMALL)
            else self.pack(item)
            for item in items
        ]

    def _number(self, value: Any) -> typing.Optional[int]:
        """None: it is met for the first time, and has one from now on."""
        number = self._numbers.get(id(value))
        if number is None:
            self._numbers[id(value)] = len(self.objects)
            self.objects.append(value)
        return number


def token(value: Any) -> Any:
    """The node of an object that is no data."""
    return {"object": [str(type(value).__name__), truth(value)]}


def truth(value: Any) -> bool:
    try:
        return bool(value)
    except Exception:  # an array's is ambiguous
        return True


# In the order in which they are tried: a subclass before its base.
_PLAIN_TYPES: dict[type, typing.Callable[[Any, typing.Callable[[Any], list[Any]]], Any]] = {
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
    ordered = isinstance(
        value, collections.OrderedDict
    )  # its order may be another one than that of the dict in it
    items = collections.OrderedDict.items(value) if ordered else dict.items(value)
    return each(itertools.chain.from_iterable(items))


class Unpacking:
    """Makes values of JSON. following: gives the next item of the iterator of that number. objects: as in `Packing`,
    which has numbered them in the same order. Raises BrokenChannel for what no `Packing` makes.
    """

    __slots__ = ("_following", "objects")

    def __init__(self, following: typing.Callable[[int], Any], objects: typing.Iterable[Any] = ()) -> None:
        self._following = following
        self.objects = list(objects)

    def unpack(self, node: Any) -> Any:
        return _only_values(self._value, node)

    def unpack_each(self, nodes: typing.Iterable[Any]) -> Any:
        return _only_values(self._each, nodes)

    def _each(self, nodes: list[Any]) -> list[Any]:
        return [node if type(node) in _PLAIN_NODES else self._value(node) for node in nodes]

    def _value(self, node: Any) -> Any:
        kind = type(node)
        if kind in _PLAIN_NODES:
            return node
        if kind is list:
            made: Any = []
            self.objects.append(made)
            made += self._each(node)
            return made
        ((name, content),) = node.items()
        if name == "same":
            if type(content) is not int or content < 0:
                raise BrokenChannel("no such object")
            return self.objects[content]
        if name in {"object", "items"}:
            return self._other(name, *content)
        if type(content) is list:
            if name not in _FILLED:
                return _FROM_ITEMS[name](*self._each(content))
            make, fill = _FILLED[name]
            made = make(*content[:1]) if name == "deque" else make()
            self.objects.append(made)
            fill(made, self._each(content[1:] if name == "deque" else content))
            return made
        if type(content) is not str:
            raise BrokenChannel(f"no {name}")
        made = _FROM_TEXT[name](content)
        if name == "bytearray":
            self.objects.append(made)
        return made

    def _other(self, name: str, title: Any, truth: Any, *number: Any) -> Any:
        if type(title) is not str or type(truth) is not bool:
            raise BrokenChannel(f"no {name}")
        if name == "object" and not number:
            return Token(title, truth)
        (place,) = number
        if type(place) is not int:
            raise BrokenChannel(f"no {name}")
        made = Items(title, truth, lambda: self._following(place))
        self.objects.append(made)
        return made


def _only_values(make: typing.Callable[..., Any], *parts: Any) -> Any:
    try:
        return make(*parts)
    except BrokenChannel:
        raise
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise BrokenChannel(f"no value: {type(error).__name__}") from None


def _whole(number: Any) -> int:
    """Not a text: "1e999999999" is a short one and a long number."""
    if type(number) is not int:
        raise BrokenChannel("no whole number")
    return number


def _pairs(flat: Any) -> Any:
    return zip(flat[::2], flat[1::2])


_FROM_ITEMS: dict[str, typing.Callable[..., Any]] = {
    "tuple": lambda *items: items,
    "frozenset": lambda *items: frozenset(items),
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

# By the kind of a node: what is made empty, so that it has its number before what is in it, and then filled.
_FILLED: dict[str, tuple[typing.Callable[..., Any], typing.Callable[[Any, list[Any]], None]]] = {
    "set": (set, lambda made, items: made.update(items)),
    "dict": (dict, lambda made, flat: made.update(_pairs(flat))),
    "OrderedDict": (collections.OrderedDict, lambda made, flat: made.update(_pairs(flat))),
    "Counter": (collections.Counter, lambda made, flat: dict.update(made, _pairs(flat))),
    "deque": (lambda maxlen: collections.deque(maxlen=maxlen), lambda made, items: made.extend(items)),
}
_NUMBERED = {
    list, set, dict, collections.OrderedDict, collections.Counter, collections.UserDict, collections.ChainMap,
    types.MappingProxyType, collections.UserList, collections.deque, bytearray,
}  # fmt: skip


def contents_of(value: Any, each: typing.Callable[[Any], list[Any]]) -> typing.Optional[list[Any]]:
    """What is in an object that `Unpacking` made, for `refill`. None: it can't be changed."""
    if isinstance(value, dict):
        return _flat(value, each)
    if isinstance(value, bytearray):
        return [value.decode("latin-1")]
    return each(value) if isinstance(value, (list, set, collections.deque)) else None


def refill(old: Any, items: list[Any]) -> None:
    """Put that into the very object that was passed, as far as it can be changed. Raises BrokenChannel."""
    _only_values(_refill, old, items)


def _refill(old: Any, items: list[Any]) -> None:
    if isinstance(old, (list, collections.UserList)):
        old[:] = items
    elif isinstance(old, (dict, collections.UserDict, collections.ChainMap)):
        old.clear()
        for key, value in _pairs(items):
            old[key] = value
    elif isinstance(old, set):
        old.clear()
        old.update(items)
    elif isinstance(old, collections.deque):
        old.clear()
        old.extend(items)
    elif isinstance(old, bytearray):
        old[:] = items[0].encode("latin-1")
