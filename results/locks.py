"""Advisory file locks, with which this project's processes coordinate.

The kernel releases a lock when the process that holds it ends in any way. Other programs are not affected by it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from typing import TYPE_CHECKING

from results.files import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOOK_S = 0.01
_NO_WRITING = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EISDIR}


@contextlib.contextmanager
def lock(path: Path, *, shared: bool = False, within_s: float | None = None) -> Iterator[int | None]:
    """Hold the lock of a file (created if it is missing) or a folder until the block ends.

    within_s: how long to wait; None means until it is free. Yields the file's descriptor, or None if the lock is still
    held elsewhere. Two locks in one process exclude each other too. Raises OSError.
    """
    descriptor = _open(path)
    try:
        yield descriptor if _taken(descriptor, shared=shared, within_s=within_s) else None
    finally:
        os.close(descriptor)


def is_locked(path: Path) -> bool:
    """Whether the file's lock is held. Never creates the file; may block another lock for an instant."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return not _taken(descriptor, shared=True, within_s=0)
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    try:
        return open_regular(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        if error.errno not in _NO_WRITING:
            raise
        # A folder, or another user's file in a shared folder.
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)


def _taken(descriptor: int, *, shared: bool, within_s: float | None) -> bool:
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    if within_s is None:
        fcntl.flock(descriptor, kind)
        return True
    deadline = time.monotonic() + within_s
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(_LOOK_S)
