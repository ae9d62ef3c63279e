"""Packs of changes to the files of a folder: what a machine has added since the pack before.

A pack is a line of JSON and the bytes of its changes, one after the other. It comes from a machine that ran code from
elsewhere, so whatever it says is checked: it can only write regular files below the attempt's folder.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import quote_from_bytes, unquote_to_bytes

import msgspec

from results.durable import explained, write_at
from results.errors import ResultsError
from results.json_text import NOT_THAT_JSON, encode
from results.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PART_BYTES: Final = 4 << 20  # of one change, so that nobody has to hold much more at once
MOST_BYTES: Final = 16 << 20  # of a pack
MOST_FOLDER_BYTES: Final = 32 << 30  # of all files of an attempt
MOST_FILES: Final = 10_000
_MAGIC: Final = b"bench-runner changes 1\n"
_MOST_NAMES = 16
_MOST_NAME_BYTES = 255


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """To one file. path: below the folder, bytes other than letters, digits, / and _.-~ as %xx. offset: where its bytes
    belong; a whole file begins at 0 and replaces what was there. gone: the file is no more.
    """

    path: str
    offset: int = 0
    size: int = 0
    whole: bool = False
    gone: bool = False


class _Header(msgspec.Struct, frozen=True, kw_only=True):
    changes: tuple[Change, ...]
    last: bool = False


def change_path(relative: str) -> str:
    """As it stands in a change."""
    return quote_from_bytes(os.fsencode(relative), safe="/")


def pack(changes: Sequence[tuple[Change, bytes]], *, last: bool = False) -> bytes:
    """last: nothing follows it."""
    header = encode(_Header(changes=tuple(change for change, _ in changes), last=last))
    return b"".join((_MAGIC, header, b"\n", *(data for _, data in changes)))


def unpack(data: bytes) -> tuple[list[tuple[Change, bytes]], bool]:
    """The changes, and whether nothing follows. Raises WrongPack."""
    head, _, rest = data[len(_MAGIC) :].partition(b"\n")
    try:
        header = msgspec.json.decode(head, type=_Header)
    except NOT_THAT_JSON as error:
        raise WrongPack.of("it is not one") from error
    if not data.startswith(_MAGIC) or len(data) > MOST_BYTES:
        raise WrongPack.of("it is not one")
    found, at = [], 0
    for change in header.changes:
        if not 0 <= change.size <= len(rest) - at or change.offset < 0:
            raise WrongPack.of("its sizes don't add up")
        found.append((change, rest[at : at + change.size]))
        at += change.size
    if at != len(rest):
        raise WrongPack.of("its sizes don't add up")
    return found, header.last


@dataclass
class Bounds:
    """How much a machine has sent of one attempt, so that it can't fill this machine's disk."""

    most_bytes: int = MOST_FOLDER_BYTES
    most_files: int = MOST_FILES
    _sizes: dict[str, int] = field(default_factory=dict)
    _total: int = 0

    def count(self, change: Change) -> None:
        """Raises WrongPack for more than an attempt may have."""
        before = self._sizes.pop(change.path, 0)
        self._total -= before
        if not change.gone:
            size = change.size if change.whole else max(before, change.offset + change.size)
            self._sizes[change.path] = size
            self._total += size
        if self._total > self.most_bytes or len(self._sizes) > self.most_files:
            raise WrongPack.of("more files or bytes than an attempt may have")


def apply(
    changes: Iterable[tuple[Change, bytes]],
    folder: Path,
    *,
    keep: Sequence[str] = (),
    bounds: Bounds | None = None,
) -> None:
    """Make the changes below the folder. keep: names in it that are not to be changed. Raises WrongPack, with what
    stood before the wrong change made, and ResultsError if the disk is full, for example.
    """
    for change, data in changes:
        parts = _parts(change.path)
        if parts[0] in keep:
            raise WrongPack.of(f"{plain(change.path)} is not its to change")
        if bounds is not None:
            bounds.count(change)
        path = folder.joinpath(*parts)
        with explained("write", path):
            if change.gone:
                _remove(folder, parts)
            else:
                _write(folder, parts, change, data)


def _parts(text: str) -> tuple[str, ...]:
    """Names below the folder. None is hidden: those belong to whoever writes there."""
    path = os.fsdecode(unquote_to_bytes(text))
    parts = PurePosixPath(path).parts
    if (
        not parts
        or "\0" in path
        or len(parts) > _MOST_NAMES
        or "/".join(parts) != path
        or any(part.startswith(".") or len(os.fsencode(part)) > _MOST_NAME_BYTES for part in parts)
        or path.startswith("/")
    ):
        raise WrongPack.of(f"{plain(text[:200])} is no name of a file for it")
    return parts


def _write(folder: Path, parts: tuple[str, ...], change: Change, data: bytes) -> None:
    parent = _parent(folder, parts[:-1])
    try:
        name = parts[-1]
        if change.whole:
            # Readers see the old file or the new one. The bytes stay in the store until the attempt was adopted, so
            # nothing is lost by not waiting for the disk.
            temporary = f".{name}"[:_MOST_NAME_BYTES]
            with_flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(temporary, with_flags, 0o666, dir_fd=parent)
            try:
                write_at(descriptor, data, 0)
            finally:
                os.close(descriptor)
            os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(name, flags, 0o666, dir_fd=parent)
        try:
            if change.offset > os.fstat(descriptor).st_size:
                raise WrongPack.of(f"{plain(change.path)} has a gap")
            write_at(descriptor, data, change.offset)
        finally:
            os.close(descriptor)
    finally:
        os.close(parent)


def _remove(folder: Path, parts: tuple[str, ...]) -> None:
    parent = _parent(folder, parts[:-1])
    try:
        os.unlink(parts[-1], dir_fd=parent)
    except FileNotFoundError:
        pass  # it came and went between two packs
    finally:
        os.close(parent)


def _parent(folder: Path, names: tuple[str, ...]) -> int:
    """A descriptor of the folder of that file, which is made if it is missing. No link on the way is followed."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    descriptor = os.open(folder, flags)
    try:
        for name in names:
            try:
                below = os.open(name, flags | os.O_NOFOLLOW, dir_fd=descriptor)
            except FileNotFoundError:
                os.mkdir(name, 0o777, dir_fd=descriptor)
                below = os.open(name, flags | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
    except BaseException as error:
        os.close(descriptor)
        if isinstance(error, OSError) and error.errno == errno.ELOOP:
            raise WrongPack.of(f"{plain('/'.join(names))} is a link") from error
        raise
    return descriptor


class WrongPack(ResultsError):
    """What a machine sent can't be right, so nothing more from it is read."""

    @classmethod
    def of(cls, what: str) -> Self:
        return cls(
            f"a machine sent a pack of changes that can't be right: {what}",
            hint="is it the same bench_runner on every machine, and is the store yours alone?",
        )
