"""Write files so that a crash leaves either the old file or the new one, and explain failures clearly."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from results.errors import ResultsError
from results.files import NotRegularError, open_regular, require_regular
from results.open_files import too_many

if TYPE_CHECKING:
    from collections.abc import Iterator

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextlib.contextmanager
def explained(doing: str, path: Path) -> Iterator[None]:
    """Turn an OSError of the block into a ResultsError. doing: a verb phrase such as "write"."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            hint = "free some space there, or choose another folder with --results-dir; nothing was lost"
        elif error.errno in _FORBIDDEN:
            hint = "use --results-dir or $BENCH_RESULTS_DIR to choose a folder that you may write to"
        elif isinstance(error, NotRegularError):
            path = Path(error.filename)  # may be the lock beside the file
            hint = "remove it, or replace it with a regular file or a link to one"
        elif isinstance(error, FileNotFoundError) and doing == "read":
            hint = "it was never written or has been removed; look at what is left in that folder"
        elif isinstance(error, IsADirectoryError):
            hint = "give the name of a file, not that of a folder"
        elif isinstance(error, NotADirectoryError):
            hint = f"a part of {path.parent} is a file; choose another folder, for results with --results-dir"
        elif isinstance(error, FileNotFoundError):
            hint = f"make the folder {path.parent}, or choose another; for results with --results-dir"
        elif limit := too_many(error):
            raise ResultsError(f"cannot {doing} {path}: {limit.message}", hint=limit.hint) from error
        else:
            hint = "choose another folder with --results-dir or $BENCH_RESULTS_DIR"
        raise ResultsError(f"cannot {doing} {path}: {error.strerror or error}", hint=hint) from error


def write_at(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of `data` at `offset`. After a short write (full disk) the next write raises the error."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view = view[written:]
        offset += written


def sync_folder(folder: Path) -> None:
    """Make the folder's entries, such as a new or renamed file, survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, data: bytes) -> None:
    """Replace the whole file atomically and durably: temporary file, fsync, rename, fsync of the folder.

    Guarantee: at any instant, and after a crash, `path` has either its old content or the new one. It keeps its
    permissions. Only a regular file is ever replaced. The caller ensures that there is one writer at a time. Raises
    OSError, with the old file untouched.
    """
    mode = None
    with contextlib.suppress(FileNotFoundError):
        status = path.stat()
        require_regular(path, status)
        mode = stat.S_IMODE(status.st_mode)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)  # left by a killed process; it may be a link, so it is not reused
    descriptor = open_regular(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        try:
            if mode is not None:
                os.fchmod(descriptor, mode)
            write_at(descriptor, data, 0)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)
