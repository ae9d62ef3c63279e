"""Files by names that are not ours: a user gives them, or others may write where they lie.

Behind such a name may be a FIFO, which waits for ever, or a device, which answers for ever or is destroyed by being
replaced. Only a regular file is read or written, or a link to one.
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
    from io import BufferedReader, FileIO

_KINDS = (
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)
_BYTES = re.compile(r"(?:\\x[0-9a-f]{2})+")


class NotRegularError(OSError):
    """What is there is no file to be read or written."""


def require_regular(path: Path, status: os.stat_result) -> None:
    """Raises NotRegularError, and IsADirectoryError for a folder."""
    if stat.S_ISREG(status.st_mode):
        return
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    what = next((words for is_one, words in _KINDS if is_one(status.st_mode)), "something else")
    raise NotRegularError(errno.EINVAL, f"it is not a regular file but {what}", str(path))


def unreadable(path: Path, *, or_folder: bool = False) -> str:
    """In words, why it is no regular file (or folder); empty: it is."""
    try:
        status = path.stat()
        if not (or_folder and stat.S_ISDIR(status.st_mode)):
            require_regular(path, status)
    except (FileNotFoundError, ValueError):
        return "no such file"
    except OSError as error:
        return error.strerror or str(error)
    return ""


def open_regular(path: Path, flags: int = os.O_RDONLY) -> int:
    """A descriptor of the file, which nothing that is started inherits. Never waits. Raises OSError.

    flags: of `os.open`; a file that O_CREAT makes gets what the umask leaves of rw-rw-rw-.
    """
    with contextlib.suppress(
        FileNotFoundError
    ):  # asked before: some devices do something when they are opened
        require_regular(path, path.stat())
    descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY, 0o666)
    try:
        require_regular(path, os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def open_to_read(path: Path) -> BufferedReader:
    """The file's bytes. Raises OSError."""
    return open(open_regular(path), "rb")


def open_to_append(path: Path) -> FileIO:
    """Unbuffered, at the file's end; made where it lacks. Raises OSError."""
    return open(open_regular(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab", buffering=0)


def read_file(path: Path) -> bytes:
    """All of it. Raises OSError."""
    with open_to_read(path) as file:
        return file.read()


def user_path(text: str | Path, folder: Path | None = None) -> Path:
    r"""A path as a user gave it, with ~ filled in. folder: what a relative one is relative to.

    Where there is nothing of that name, \xff in it stands for a byte: so a name that is not UTF-8 is shown, and kept in
    records. Raises UsageError for the home of nobody, for a name that is too long, and for what lies in a folder that
    may not be entered.
    """
    text = str(text)
    try:
        path = (folder or Path()) / Path(text).expanduser()
    except RuntimeError:
        user = text.partition("/")[0]
        raise UsageError(
            f"{text} can't be read: there is no home folder of {user}",
            hint=f"write the whole path, or ./{text}",
        ) from None
    if not _is_there(path) and (there := with_bytes(path)) != path and _is_there(there):
        return there
    return path


def with_bytes(path: Path) -> Path:
    r"""With the byte itself for each \xff in it."""
    return Path(_BYTES.sub(_byte, str(path)))


def _is_there(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError, ValueError):  # a zero byte is in no name
        return False
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from error
    return True


def _byte(match: re.Match[str]) -> str:
    return os.fsdecode(bytes.fromhex(match[0].replace("\\x", "")))
