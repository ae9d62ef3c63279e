"""Packs of pieces of files, as they go through a store or a scheduler: what a folder gained since the pack before.

A pack is a line of JSON and the bytes of its pieces, one after the other. It comes from a machine that ran code from
elsewhere, so whatever it says is checked here, and by `received_files`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

import msgspec

from engines.carriers.growing_files import Piece
from engines.carriers.received_files import ReceivedFiles, RefusedFileError
from results.durable import explained
from results.errors import ResultsError
from results.json_text import NOT_THAT_JSON, encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

PART_BYTES: Final = (
    4 << 20
)  # of the pieces of a pack that we make, so that nobody has to hold much more at once
MOST_BYTES: Final = 16 << 20  # of a pack
_MOST_PIECES: Final = 1000  # of a pack that we make
_MAGIC: Final = b"bench-runner pieces 1\n"


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A `Piece`. size: of its data, which stands behind that of those before."""

    path: str
    offset: int
    size: int
    replaces: bool = False
    last: bool = True


class _Header(msgspec.Struct, frozen=True, kw_only=True):
    pieces: tuple[_Entry, ...]
    last: bool = False


def pack(pieces: Sequence[Piece], *, last: bool = False) -> bytes:
    """last: nothing follows it."""
    entries = tuple(
        _Entry(
            path=piece.path,
            offset=piece.offset,
            size=len(piece.data),
            replaces=piece.replaces,
            last=piece.last,
        )
        for piece in pieces
    )
    header = encode(_Header(pieces=entries, last=last))
    return b"".join((_MAGIC, header, b"\n", *(piece.data for piece in pieces)))


def packed(pieces: Iterable[Piece], *, ended: bool = False) -> Iterator[bytes]:
    """The pieces in packs of a few MiB. ended: the last one, which may be empty, says that nothing follows."""
    held: list[Piece] = []
    held_bytes = 0
    for piece in pieces:
        if held_bytes + len(piece.data) > PART_BYTES or len(held) >= _MOST_PIECES:
            yield pack(held)
            held, held_bytes = [], 0
        held.append(piece)
        held_bytes += len(piece.data)
    if held or ended:
        yield pack(held, last=ended)


def unpack(data: bytes) -> tuple[list[Piece], bool]:
    """The pieces, and whether nothing follows. Raises WrongPack."""
    head, _, rest = data[len(_MAGIC) :].partition(b"\n")
    try:
        header = msgspec.json.decode(head, type=_Header)
    except NOT_THAT_JSON as error:
        raise WrongPack.of("it is not one") from error
    if not data.startswith(_MAGIC) or len(data) > MOST_BYTES:
        raise WrongPack.of("it is not one")
    found, at = [], 0
    for entry in header.pieces:
        if not 0 <= entry.size <= len(rest) - at or entry.offset < 0:
            raise WrongPack.of("its sizes don't add up")
        content = rest[at : at + entry.size]
        found.append(Piece(entry.path, entry.offset, content, replaces=entry.replaces, last=entry.last))
        at += entry.size
    if at != len(rest):
        raise WrongPack.of("its sizes don't add up")
    return found, header.last


def write_piece(files: ReceivedFiles, piece: Piece) -> None:
    """Write it. Raises WrongPack, and ResultsError if the disk is full, for example."""
    try:
        with explained("write to", files.folder):
            files.take(piece)
    except RefusedFileError as error:
        raise WrongPack.of(f"it has {error}") from error


class WrongPack(ResultsError):
    """What a machine sent can't be right, so nothing more from it is read."""

    @classmethod
    def of(cls, what: str) -> Self:
        return cls(
            f"a machine sent a pack of files that can't be right: {what}",
            hint="is it the same bench_runner on every machine, and is the store yours alone?",
        )
