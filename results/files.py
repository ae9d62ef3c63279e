"""Open files whose names come from a user, or that lie where other programs may write.

Such a name may belong to a FIFO, which blocks forever, or to a device, which never ends or breaks when it is replaced.
Only regular files, and links to them, are read or written.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from results.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from io import BufferedReader, FileIO

_KINDS = (
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)
_BYTES = re.compile(r"(?:\\x[0-9a-f]{2})+")


class NotRegularError(OSError):
    """The path is not a regular file."""


def require_regular(path: Path, status: os.stat_result) -> None:
    """Raise NotRegularError unless it is a regular file; for a folder, IsADirectoryError."""
    if stat.S_ISREG(status.st_mode):
        return
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    what = next((words for is_one, words in _KINDS if is_one(status.st_mode)), "something else")
    raise NotRegularError(errno.EINVAL, f"it is not a regular file but {what}", str(path))


def unreadable(path: Path, *, or_folder: bool = False) -> str:
    """Why it is not a readable regular file (or folder), in words; empty if it is one."""
    try:
        status = path.stat()
        if not (or_folder and stat.S_ISDIR(status.st_mode)):
            require_regular(path, status)
    except (FileNotFoundError, ValueError):
        return "no such file"
    except OSError as error:
        return error.strerror or str(error)
    return ""


def instead_of(path: Path) -> str:
    """What to try instead of a file that is `unreadable`."""
    folder = path.parent
    try:
        if path.exists():
            return "give a regular file that you may read"
        if path.is_symlink():
            return f"{path} is a link that leads to no file: correct it, or give the file itself"
        names = [entry.name for entry in folder.iterdir()]
    except OSError:
        return f"look for the folder {folder}: it is not there, or can't be read"
    close = close_names(path, names)
    return f"did you mean {folder / close[0]}?" if close else f"look into {folder}; it has no such file"


def close_names(path: Path, names: Iterable[str], most: int = 1) -> list[str]:
    """The names that are like the path's own, best first. The ending counts apart, because many share it."""
    import difflib  # few runs have a mistake to tell

    known = list(names)
    same = {name.removesuffix(path.suffix): name for name in known if name.endswith(path.suffix)}
    alike = difflib.get_close_matches(path.stem, same, n=most, cutoff=0.6)
    found = [same[each] for each in alike] or difflib.get_close_matches(path.name, known, n=most, cutoff=0.8)
    wanted = path.name.casefold()
    return found or [name for name in known if wanted in name.casefold() and len(wanted) > 2][:most]


def open_regular(path: Path, flags: int = os.O_RDONLY) -> int:
    """Open a regular file without blocking. Child processes don't inherit the descriptor. Raises OSError.

    flags: of `os.open`; with O_CREAT, a new file gets rw-rw-rw- as far as the umask allows.
    """
    with contextlib.suppress(FileNotFoundError):  # before opening, because opening some devices has effects
        require_regular(path, path.stat())
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY, 0o666)
    try:
        require_regular(path, os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def open_to_read(path: Path) -> BufferedReader:
    """Open a regular file to read its bytes. Raises OSError."""
    return open(open_regular(path), "rb")


def open_to_append(path: Path) -> FileIO:
    """Open a regular file to append to it, unbuffered. Creates it if it is missing. Raises OSError."""
    return open(open_regular(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab", buffering=0)


def read_file(path: Path) -> bytes:
    """The whole content. Raises OSError."""
    with open_to_read(path) as file:
        return file.read()


def user_path(text: str | Path, folder: Path | None = None) -> Path:
    r"""The path that a user wrote, with ~ expanded. folder: the base of relative paths.

    If no such file exists, \xff in the text stands for a byte: this is how names that are not UTF-8 are shown and
    recorded. Raises UsageError for the home of an unknown user, a name that is too long, and a folder without access.
    """
    text = str(text)
    try:
        path = (folder or Path()) / Path(text).expanduser()
    except RuntimeError:
        user = text.partition("/")[0]
        raise UsageError(
            f"{text} can't be read: {user} has no home folder",
            hint=f"write the full path, or ./{text}",
        ) from None
    if not _is_there(path) and (there := with_bytes(path)) != path and _is_there(there):
        return there
    return path


def with_bytes(path: Path) -> Path:
    r"""The path with the byte itself in place of each \xff."""
    return Path(_BYTES.sub(_byte, str(path)))


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # a name with a zero byte
        return False
    except OSError as error:
        raise UsageError(
            f"{path} can't be read: {error.strerror}",
            hint="correct the path, or choose one that you may read",
        ) from error
    return True


def _byte(match: re.Match[str]) -> str:
    return os.fsdecode(bytes.fromhex(match[0].replace("\\x", "")))
