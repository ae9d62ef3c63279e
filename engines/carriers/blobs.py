"""A store of named blobs as a carrier: packs of what files gained, numbered in each direction.

ADDRESS/to/00000001          what the coordinator put: the attempt's folder, in packs
ADDRESS/from/00000001 ...    what the machine added, a pack each time there was something
ADDRESS/from/g00000001 ...   each 64 of them once more in one, for a reader that comes late
ADDRESS/claim                a program on a machine began; another one leaves the attempt alone
ADDRESS/files/...            the folder as it was in the end, for people; it stays there

What a machine does is in to/, so whoever can write to the store could have it run programs of theirs: the machine gets
the checksum of to/ from whoever starts it, and does nothing else.

Nobody lists anything: a reader asks for the next number, and a later reader goes on with that, see `progress`.
"""

from __future__ import annotations

import hashlib
import struct
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from engines.carriers import progress
from engines.carriers.growing_files import GrowingFiles
from engines.carriers.packs import MOST_BYTES, WrongPack, packed, unpack, write_piece
from engines.carriers.received_files import ReceivedFiles
from results.durable import explained
from results.errors import ResultsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from engines.carriers.growing_files import Piece
    from engines.contract import Finding

TO: Final = "to"
FROM: Final = "from"
CLAIM: Final = "claim"
FILES: Final = "files"
PATIENCE_S: Final = 60.0  # for which a store may not be reached before that is an error
GROUP: Final = 64  # packs; one `fetch` brings no more, so that no attempt holds up the others
_LENGTH: Final = struct.Struct(">I")


class Blobs(Protocol):
    """Named bytes below one address. A blob is there whole or not at all. Methods raise OSError."""

    def put(self, name: str, data: bytes) -> None: ...

    def put_file(self, name: str, path: Path) -> None: ...

    def get(self, name: str, most: int) -> bytes | None:
        """At most that many bytes of it; None if it isn't there."""

    def remove(self, folder: str) -> None:
        """Everything below it. Idempotent."""


class Checksum:
    """Of the packs of one direction, in their order."""

    def __init__(self) -> None:
        self._sum = hashlib.sha256()

    def add(self, data: bytes) -> None:
        self._sum.update(_LENGTH.pack(len(data)) + data)

    @property
    def text(self) -> str:
        return self._sum.hexdigest()


def pack_name(folder: str, number: int) -> str:
    return f"{folder}/{number:08}"


def received(blobs: Blobs, folder: str, first: int) -> Iterator[tuple[list[Piece], bool]]:
    """The packs from that number on, as far as they are there. Raises OSError, WrongPack."""
    number = first
    while True:
        if (number - 1) % GROUP == 0:
            group = blobs.get(group_name(folder, number), MOST_BYTES + 1)
            if group is not None:
                yield from map(unpack, ungrouped(group))
                number += GROUP
                continue
        data = blobs.get(pack_name(folder, number), MOST_BYTES + 1)
        if data is None:
            return
        yield unpack(data)
        number += 1


def group_name(folder: str, first: int) -> str:
    """first: number of its first pack."""
    return f"{folder}/g{(first - 1) // GROUP + 1:08}"


def grouped(packs: Sequence[bytes]) -> bytes | None:
    """They in one blob; None if it would be too large."""
    data = b"".join(part for each in packs for part in (_LENGTH.pack(len(each)), each))
    return data if len(data) <= MOST_BYTES else None


def ungrouped(data: bytes) -> list[bytes]:
    """Raises WrongPack."""
    found: list[bytes] = []
    at = 0
    while at < len(data) and len(found) < GROUP:
        if at + _LENGTH.size > len(data):
            break
        (size,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        found.append(data[at : at + size])
        at += size
    if at != len(data) or len(found) != GROUP:
        raise WrongPack.of("a group of packs is not one")
    return found


@dataclass
class _Reading:
    """How far one address was read. next: number of its next pack. is_at_end: the last look read all there was."""

    files: ReceivedFiles
    next: int = 1
    is_at_end: bool = False
    failing_since: float | None = None


class BlobCarrier:
    """A `Carrier` through such a store. where: addresses are names below it. open_at: the blobs below an address. hint,
    called: for messages; the store is `where` by default.
    """

    def __init__(
        self,
        where: str,
        open_at: Callable[[str], Blobs],
        *,
        hint: str,
        called: str = "",
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._where = where.rstrip("/")
        self._called = called or self._where
        self._open_at = open_at
        self._hint = hint
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._reading: dict[str, _Reading] = {}
        self._checksums: dict[str, str] = {}

    def blobs(self, address: str) -> Blobs:
        return self._open_at(address)

    def address(self, name: str) -> str:
        """Where the attempt of that name is, once it was put there."""
        return f"{self._where}/{name}"

    def put(self, attempt: Path, name: str) -> str:
        address = self.address(name)
        blobs = self._open_at(address)
        checksum = Checksum()
        try:
            pieces = GrowingFiles(attempt, with_unit=True).pieces()
            for number, data in enumerate(packed(pieces, ended=True), 1):
                checksum.add(data)
                blobs.put(pack_name(TO, number), data)
        except OSError as error:
            raise self._failed("write to", error) from error
        with self._lock:
            self._checksums[address] = checksum.text
        return address

    def checksum(self, address: str) -> str:
        """Of what this process has put there. It must come to the machine by another way than through the store."""
        with self._lock:
            return self._checksums[address]

    def program(self, address: str) -> tuple[str, ...]:
        return "-m", "engines.node.carried", address, "--sha256", self.checksum(address), "--"

    def fetch(self, address: str, attempt: Path) -> bool:
        with self._lock, explained("read", attempt):
            reading = self._reading.get(address)
            if reading is None:
                files = ReceivedFiles(attempt, repeats=True)
                reading = self._reading[address] = _Reading(files, progress.begin(attempt, address))
        first = reading.next
        reading.is_at_end = False
        try:
            for pieces, _ in received(self._open_at(address), FROM, first):
                for piece in pieces:
                    write_piece(reading.files, piece)
                reading.next += 1
                with explained("write to", attempt):
                    progress.note(attempt, address, reading.next)
                if (reading.next - 1) % GROUP == 0:
                    break
            else:
                reading.is_at_end = True
        except OSError as error:
            now = time.monotonic()
            reading.failing_since = reading.failing_since or now
            if now - reading.failing_since >= self._patience_s:
                raise self._failed("read from", error) from error
        else:
            reading.failing_since = None
        return reading.next > first

    def has_all(self, address: str) -> bool:
        """Whether the last `fetch` read all that was there, and was not cut off."""
        with self._lock:
            reading = self._reading.get(address)
            return reading is not None and reading.is_at_end

    def fetch_the_rest(self, address: str, attempt: Path, every_s: float = 0.5) -> None:
        """Fetch until all that is there is here, also from a store that is away for a while. Raises ResultsError."""
        while self.fetch(address, attempt) or not self.has_all(address):
            with self._lock:
                is_away = self._reading[address].failing_since is not None
            time.sleep(every_s if is_away else 0)

    def remove(self, address: str) -> None:
        blobs = self._open_at(address)
        try:
            for folder in (TO, FROM, CLAIM):
                blobs.remove(folder)
        except OSError as error:
            raise self._failed("remove from", error) from error
        with self._lock:
            self._reading.pop(address, None)
            self._checksums.pop(address, None)

    def check(self) -> Finding | None:
        from engines.contract import Finding

        blobs = self._open_at(f"{self._where}/.check")
        try:
            blobs.put("written", b"1")
            found = blobs.get("written", 2)
            blobs.remove("written")
        except OSError as error:
            failed = self._failed("use", error)
            return Finding(message=failed.message, hint=failed.hint)
        if found != b"1":
            return Finding(
                message=f"{self._called} doesn't give back what was just written there",
                hint="take a store that is consistent after a write, as S3 is",
            )
        return None

    def _failed(self, doing: str, error: OSError) -> ResultsError:
        return ResultsError(f"cannot {doing} {self._called}: {error.strerror or error}", hint=self._hint)
