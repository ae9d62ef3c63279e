"""Runs inside the sandbox: the channel between the process of a completion and that of its tests.

Standard library only: this source stands before the zygote's own (sandbox/inside/zygote.py).

A frame is a length (4 bytes, big endian) and JSON, in which values are as values.py packs them. Texts stand in it as
they are: two halves of a pair that JSON escapes come back as one character.
"""

import builtins
import json
import os
import struct
import typing
from typing import Any

from sandbox.inside.child import describe, from_json
from sandbox.inside.values import BrokenChannel, Packing, Unpacking

_USUAL_BYTES, _PIPE_BYTES = 4096, 1 << 16  # Python takes memory for as much as is asked for
MOST_BYTES = 64 << 20  # of a frame: an answer of ten million numbers
# What may be raised on the other side. The two that are taken out steer loops and generators without being seen.
ERRORS = {
    name: kind
    for name, kind in vars(builtins).items()
    if isinstance(kind, type) and issubclass(kind, Exception)
}
for _name in ("StopIteration", "StopAsyncIteration"):
    del ERRORS[_name]
for _name in {"UnicodeDecodeError", "UnicodeEncodeError", "UnicodeTranslateError", "ExceptionGroup"} & set(
    ERRORS
):
    del ERRORS[_name]  # want arguments


def _encoder() -> typing.Callable[[Any], str]:
    """One for good: `json.dumps` makes one each time, and within it `JSONEncoder.encode` another one."""
    python = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
    text = json.encoder.encode_basestring
    try:  # nothing that is packed holds itself, so it need not look for that (None)
        make = json.encoder.c_make_encoder  # type: ignore[attr-defined]
        parts = make(None, python.default, text, None, ":", ",", False, False, True)
    except (AttributeError, TypeError):  # not documented, so another Python may have another one
        return python.encode
    return lambda value: "".join(parts(value, 0))


_as_json = _encoder()


def encoded(value: Any) -> bytes:
    """As JSON that `json.loads` reads back to the last half of a pair."""
    return _as_json(value).encode("utf-8", "surrogatepass")


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
        self.frame = bytearray()  # the last one that was heard

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
        wanted = _USUAL_BYTES
        while True:
            if len(self._read) >= 4:
                length = int.from_bytes(self._read[:4], "big")
                if length > MOST_BYTES:
                    raise BrokenChannel(f"a frame of {length} bytes")
                end = 4 + length
                wanted = max(wanted, end - len(self._read))
                if len(self._read) >= end:
                    break
            part = os.read(self._reading, min(wanted, _PIPE_BYTES))
            if not part:
                raise EOFError
            self._read += part
        self.frame = self._read[4:end]
        del self._read[:end]
        try:
            text = self.frame.decode("utf-8", "surrogatepass")
            value, end = from_json(text)
        except (ValueError, RecursionError) as error:
            raise BrokenChannel(f"no JSON: {type(error).__name__}") from None
        if end != len(text):
            raise BrokenChannel("more than one value")
        return value

    def packing(self, objects: typing.Iterable[Any] = ()) -> Packing:
        return Packing(self._keep, self._other, objects)

    def unpacking(self, objects: typing.Iterable[Any] = ()) -> Unpacking:
        return Unpacking(self._following, objects)

    def checked(self, make: typing.Callable[..., Any], *parts: Any) -> Any:
        """What that makes of parts of a message."""
        try:
            return make(*parts)
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
            return {"item": self.packing().pack(next(iterator))}
        except StopIteration:
            return {"end": True}
        except Exception as error:
            return {"raised": told(error)}

    def _following(self, place: int) -> Any:
        self.tell({"next": place})
        said = self.hear()
        if "item" in said:
            return self.checked(self.unpacking().unpack, said["item"])
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
    data = encoded(value)
    if len(data) > MOST_BYTES:
        raise ValueError(f"a value of {len(data)} bytes is too large to be compared")
    write_all(descriptor, struct.pack(">I", len(data)) + data)


def write_all(descriptor: int, data: Any) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def write_each(descriptor: int, parts: list[memoryview]) -> None:
    """One after the other, at once where they fit, without a copy. None of them is left in the list, or open."""
    while parts:
        written = os.writev(descriptor, parts)
        while parts and written >= len(parts[0]):
            written -= len(parts[0])
            parts.pop(0).release()
        if parts:
            parts[0] = parts[0][written:]


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
