"""Frames between a coordinator and a machine's host program, over a pair of pipes: a message and up to 256 KiB of data.

    LINE                       once, from the host program: what stands before it was said by a login shell
    length, length             4 bytes each, the most significant first: of the message, of the data
    message                    JSON, see `engines.node.messages`
    data

Either side may have been taken over by somebody: lengths are bounded before anything is kept.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import msgspec

from results.json_text import NOT_THAT_JSON

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE: Final = b"\nbench_runner host program, frames 1\n"
MOST_MESSAGE: Final = 256 << 10
MOST_DATA: Final = 256 << 10
_MOST_BEFORE: Final = 64 << 10
_LENGTHS: Final = struct.Struct(">II")
T = TypeVar("T")


class FrameError(Exception):
    """What came is no frame. The connection can't go on."""


def frame(message: msgspec.Struct, data: bytes = b"") -> bytes:
    """As bytes. data: at most MOST_DATA."""
    text = msgspec.json.encode(message)
    if len(data) > MOST_DATA or len(text) > MOST_MESSAGE:
        raise ValueError(f"a frame of {len(text)} + {len(data)} bytes")
    return _LENGTHS.pack(len(text), len(data)) + text + data


class Frames(Generic[T]):
    """Takes bytes as they come, and gives whole frames. kind: the messages that may come; any other is a FrameError.

    after_line: everything before LINE is left out.
    """

    def __init__(self, kind: object, *, after_line: bool) -> None:
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(kind)
        self._held = bytearray()
        self._begun = not after_line

    @property
    def begun(self) -> bool:
        """Whether LINE has come."""
        return self._begun

    def feed(self, data: bytes) -> Iterator[tuple[T, bytes]]:
        """The frames that are whole now. Raises FrameError."""
        self._held += data
        if not self._begun:
            at = self._held.find(LINE)
            if at < 0:
                if len(self._held) > _MOST_BEFORE:
                    raise FrameError("something else than the host program answers there")
                return
            del self._held[: at + len(LINE)]
            self._begun = True
        while len(self._held) >= _LENGTHS.size:
            text_bytes, data_bytes = _LENGTHS.unpack_from(self._held)
            if text_bytes > MOST_MESSAGE or data_bytes > MOST_DATA:
                raise FrameError("a frame that is too long")
            end = _LENGTHS.size + text_bytes
            if len(self._held) < end + data_bytes:
                return
            text, body = bytes(self._held[_LENGTHS.size : end]), bytes(self._held[end : end + data_bytes])
            del self._held[: end + data_bytes]
            try:
                message = self._decoder.decode(text)
            except NOT_THAT_JSON as error:
                raise FrameError("a message that can't be read") from error
            yield message, body
