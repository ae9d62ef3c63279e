"""Write what a machine sends of an attempt into its folder here, and nowhere else, whatever the machine says.

A machine may have been taken over, and what goes through a store may be changed there. So names are checked, folders
are opened one by one without following links, only regular files are written, and both their number and their bytes
are bounded.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from engines.carriers.growing_files import MOST_NAME, MOST_PATH
from engines.node.attempt_files import UNIT
from results.durable import write_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engines.carriers.growing_files import Piece

MOST_BYTES: Final = 32 << 30
MOST_FILES: Final = 10_000
_MOST_DEEP: Final = 8
_PART: Final = ".part"
# What is wrong here, and no other machine's fault.
_OF_THIS_DISK: Final = frozenset(
    (
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EIO,
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
        errno.EMFILE,
        errno.ENFILE,
    )
)


class RefusedFileError(Exception):
    """The machine wants to write what no attempt writes. The message says what, without its own words."""


def checked_path(path: str, *, with_unit: bool = False) -> tuple[str, ...]:
    """The parts of a relative path. Raises RefusedFileError for any that could lead elsewhere, or has a hidden name."""
    if len(path) > MOST_PATH:
        raise RefusedFileError("a path that is too long")
    parts = tuple(path.split("/"))
    if not 1 <= len(parts) <= _MOST_DEEP:
        raise RefusedFileError("a path that is too deep")
    for part in parts:
        if not part or part.startswith(".") or len(os.fsencode(part)) > MOST_NAME or not part.isprintable():
            raise RefusedFileError("a path that leads out of the attempt's folder, or is no plain name")
    if parts[0] == UNIT and not with_unit:
        raise RefusedFileError("the unit itself")
    return parts


@dataclass
class ReceivedFiles:
    """An attempt's folder here. Only one thread uses it. Raises RefusedFileError; OSError if it can't be written.

    with_unit: `unit.json` comes too, from the coordinator. repeats: what came before may come once more, from any
    piece on, to somebody who doesn't know what came; in the end the folder is the same.
    """

    folder: Path
    with_unit: bool = False
    repeats: bool = False
    most_bytes: int = MOST_BYTES
    most_files: int = MOST_FILES
    _sizes: dict[str, int] = field(default_factory=dict)
    _total: int = 0

    def take(self, piece: Piece) -> None:
        """Write it."""
        if piece.replaces:
            self.replaced(piece.path, piece.offset, piece.data, last=piece.last)
        else:
            self.grew(piece.path, piece.offset, piece.data)

    def grew(self, path: str, offset: int, data: bytes) -> None:
        """Append to a file, which has `offset` bytes."""
        *parents, name = checked_path(path, with_unit=self.with_unit)
        self._count(path, offset + len(data))
        with self._parent(parents) as parent:
            flags = os.O_WRONLY | (os.O_CREAT if offset == 0 else 0)
            self._write(parent, name, flags, offset, data)

    def replaced(self, path: str, offset: int, data: bytes, *, last: bool) -> None:
        """Collect a file's new content, which takes the old one's place with the last piece."""
        *parents, name = checked_path(path, with_unit=self.with_unit)
        part = f".{name}{_PART}"
        self._count(path, offset + len(data))
        with self._parent(parents) as parent:
            if self.repeats and offset and _has_been_replaced(parent, name, part, offset, data):
                return
            flags = os.O_WRONLY | (os.O_CREAT | os.O_TRUNC if offset == 0 else 0)
            self._write(parent, part, flags, offset, data)
            if last:
                os.rename(part, name, src_dir_fd=parent, dst_dir_fd=parent)

    def _count(self, path: str, size: int) -> None:
        """What a file will have; of one that is replaced, the larger of both."""
        size = max(size, self._sizes.get(path, 0))
        self._total += size - self._sizes.get(path, 0)
        self._sizes[path] = size
        if self._total > self.most_bytes or len(self._sizes) > self.most_files:
            raise RefusedFileError("more files or bytes than an attempt may have")

    @contextlib.contextmanager
    def _parent(self, parts: list[str]) -> Iterator[int]:
        """The folder below the attempt's, made if it is missing. Links are not followed."""
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self.folder, flags)
        try:
            for part in parts:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, 0o777, dir_fd=descriptor)
                below = os.open(part, flags, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = below
            yield descriptor
        except FileNotFoundError as error:
            raise RefusedFileError("a piece of a file that has no beginning") from error
        except OSError as error:
            if error.errno in _OF_THIS_DISK:
                raise
            raise RefusedFileError("a file where a folder is, or a folder where a file is") from error
        finally:
            os.close(descriptor)

    def _write(self, parent: int, name: str, flags: int, offset: int, data: bytes) -> None:
        """The file must have `offset` bytes, so that nothing is overwritten and no hole is made."""
        descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o666, dir_fd=parent)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise RefusedFileError("something that is no regular file")
            if offset > status.st_size or (offset < status.st_size and not self.repeats):
                raise RefusedFileError("a piece that doesn't follow what came before")
            write_at(descriptor, data, offset)
        finally:
            os.close(descriptor)


def _has_been_replaced(parent: int, name: str, part: str, offset: int, data: bytes) -> bool:
    """Whether nothing is collected, because the file has this piece of its new content already."""
    with contextlib.suppress(FileNotFoundError):
        os.stat(part, dir_fd=parent, follow_symlinks=False)
        return False
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    descriptor = os.open(name, flags, dir_fd=parent)
    try:
        is_regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        return is_regular and os.pread(descriptor, len(data), offset) == data
    finally:
        os.close(descriptor)
