"""Write what a machine sends of an attempt into its folder here, and nowhere else, whatever the machine says.

A machine may have been taken over. So names are checked, folders are opened one by one without following links, only
regular files are written, and both their number and their bytes are bounded.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from engines.node.attempt_files import UNIT
from engines.node.growing_files import MOST_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


def checked_path(path: str) -> tuple[str, ...]:
    """The parts of a relative path. Raises RefusedFileError for any that could lead elsewhere, or has a hidden name."""
    parts = tuple(path.split("/"))
    if not 1 <= len(parts) <= _MOST_DEEP:
        raise RefusedFileError("a path that is too deep")
    for part in parts:
        if not part or part.startswith(".") or len(os.fsencode(part)) > MOST_NAME or not part.isprintable():
            raise RefusedFileError("a path that leads out of the attempt's folder, or is no plain name")
    if parts == (UNIT,):
        raise RefusedFileError("the unit itself")
    return parts


@dataclass
class ReceivedFiles:
    """An attempt's folder here. Only one thread uses it. Raises RefusedFileError; OSError if it can't be written."""

    folder: Path
    most_bytes: int = MOST_BYTES
    most_files: int = MOST_FILES
    _sizes: dict[str, int] = field(default_factory=dict)
    _total: int = 0

    def grew(self, path: str, offset: int, data: bytes) -> None:
        """Append to a file, which has `offset` bytes."""
        *parents, name = checked_path(path)
        self._count(path, offset + len(data))
        with self._parent(parents) as parent:
            flags = os.O_WRONLY | (os.O_CREAT if offset == 0 else 0)
            _write(parent, name, flags, offset, data)

    def replaced(self, path: str, offset: int, data: bytes, *, last: bool) -> None:
        """Collect a file's new content, which takes the old one's place with the last piece."""
        *parents, name = checked_path(path)
        part = f".{name}{_PART}"
        self._count(path, offset + len(data))
        with self._parent(parents) as parent:
            flags = os.O_WRONLY | (os.O_CREAT | os.O_TRUNC if offset == 0 else 0)
            _write(parent, part, flags, offset, data)
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
        except OSError as error:
            if error.errno in _OF_THIS_DISK:
                raise
            raise RefusedFileError("a file where a folder is, or a folder where a file is") from error
        finally:
            os.close(descriptor)


def _write(parent: int, name: str, flags: int, offset: int, data: bytes) -> None:
    """The file must have `offset` bytes, so that nothing is overwritten and no hole is made."""
    descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o666, dir_fd=parent)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise RefusedFileError("something that is no regular file")
        if status.st_size != offset:
            raise RefusedFileError("a piece that doesn't follow what came before")
        view = memoryview(data)
        while view:
            written = os.pwrite(descriptor, view, offset)
            view, offset = view[written:], offset + written
    finally:
        os.close(descriptor)
