"""Folders of runs that machines wrote: they may hold anything, so only what a run's folder has is taken from them."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from typing import TYPE_CHECKING, Final

from results.errors import ResultsError
from results.files import open_to_read

if TYPE_CHECKING:
    from pathlib import Path

MOST_RECORD_BYTES: Final = 64 << 20  # of run.json or unit.json; ours have kilobytes
LOCK: Final = "harness.lock"
_OUR_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE}


def copy_run(source: Path, target: Path) -> None:
    """Copy a run's folder, but its lock. Somebody may write into it meanwhile: files that are replaced have one content
    or the other, and drafts that come and go are left out. Raises OSError.
    """
    shutil.copytree(source, target, symlinks=True, ignore=_not_copied, copy_function=_copy_if_there)
    keep_regular_files(target)


def keep_regular_files(folder: Path) -> None:
    """Remove what a run's folder never has: links, pipes, devices. Follows no link. Raises OSError."""
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = os.path.join(parent, name)  # noqa: PTH118 - often
            mode = os.lstat(path).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                os.unlink(path)  # noqa: PTH108


def read_bounded(path: Path, most: int = MOST_RECORD_BYTES) -> bytes:
    """The whole content of a file that a machine wrote. Raises OSError, also if it is larger than that."""
    with open_to_read(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it has more than {most} bytes", str(path))
    return data


def remove(path: Path) -> None:
    """Remove a file or a folder as far as possible. Follows no link."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def is_of_our_disk(error: BaseException) -> bool:
    """Whether it says something about this machine's disk, and nothing about what was read."""
    while error.__cause__ is not None and not isinstance(error, OSError):
        error = error.__cause__
    return isinstance(error, OSError) and error.errno in _OUR_DISK


def message(error: BaseException) -> str:
    return error.message if isinstance(error, ResultsError) else str(error)


def _copy_if_there(source: str, target: str) -> str:
    with contextlib.suppress(FileNotFoundError):
        shutil.copy2(source, target)
    return target


def _not_copied(folder: str, names: list[str]) -> set[str]:
    """The lock, and what copying would open: a pipe blocks, a device never ends."""
    found = {LOCK} & set(names)
    for name in names:
        try:
            mode = os.lstat(os.path.join(folder, name)).st_mode  # noqa: PTH118 - often
        except FileNotFoundError:
            mode = 0
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            found.add(name)
    return found
