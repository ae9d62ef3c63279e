"""A Landlock ruleset as the kernel takes it: what a process may reach that restricts itself by it.

Format and numbers: linux/landlock.h; docs.kernel.org/userspace-api/landlock.html. The system calls have the same
numbers on all processors.
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

_CREATE_RULESET, _ADD_RULE = 444, 445
_VERSION, _PATH_BENEATH = 1, 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_FILE, _MAKE_CHAR, _MAKE_BLOCK = 1 << 5, 1 << 6, 1 << 11
_OF_ABI_1, _REFER, _TRUNCATE, _IOCTL_DEV = (1 << 13) - 1, 1 << 13, 1 << 14, 1 << 15
_BIND_AND_CONNECT_TCP = 0b11
_SCOPED_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11
_ON_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV

LEAST_ABI = 3  # Linux 6.2; before it files could be truncated that can't be written
NETWORK_ABI = 4  # 6.7
SIGNALS_ABI = 6  # 6.12


def abi_version() -> int:
    """Of the running kernel; 0 where it has no Landlock, or was started without it."""
    return max(0, int(ctypes.CDLL(None).syscall(_CREATE_RULESET, None, 0, _VERSION)))


def create_ruleset(
    abi: int,
    *,
    readable: Iterable[Path],
    written: Iterable[Path],
    folder: Path,
    hidden: Collection[Path] = (),
) -> int:
    """A descriptor of it; all of the files that is not named is forbidden, and TCP, and processes outside.

    readable: files and folders with all in them, to be executed as well; missing ones are passed over.
    hidden: folders within them of which only the names can be read.
    written: devices to read and write. folder: where everything may be done but to make devices and remove files.
    Raises OSError.
    """
    files = _OF_ABI_1 | _REFER | _TRUNCATE | (_IOCTL_DEV if abi >= 5 else 0)
    handled = struct.pack(
        "QQQ",
        files,
        _BIND_AND_CONNECT_TCP if abi >= NETWORK_ABI else 0,
        _SCOPED_ABSTRACT_SOCKETS_AND_SIGNALS if abi >= SIGNALS_ABI else 0,
    )
    libc = ctypes.CDLL(None, use_errno=True)
    ruleset = int(libc.syscall(_CREATE_RULESET, handled, len(handled), 0))
    if ruleset < 0:
        raise OSError(ctypes.get_errno(), "landlock_create_ruleset")
    rules = [rule for path in readable for rule in _read(path, hidden)]
    rules += [(path, _READ_FILE | _WRITE_FILE) for path in written]
    rules += [(folder, files & ~(_REMOVE_FILE | _MAKE_CHAR | _MAKE_BLOCK | _IOCTL_DEV))]
    try:
        for path, access in rules:
            if path.exists():
                _allow(libc, ruleset, path, access if path.is_dir() else access & _ON_FILES)
    except BaseException:
        os.close(ruleset)
        raise
    return ruleset


def _read(path: Path, hidden: Collection[Path]) -> Iterator[tuple[Path, int]]:
    """A rule holds for all below a folder, so that one with something hidden in it is allowed piece by piece."""
    if path in hidden:
        return
    if not any(path in folder.parents for folder in hidden):
        yield path, _EXECUTE | _READ_FILE | _READ_DIR
        return
    yield path, _READ_DIR
    for inner in path.iterdir():
        if inner.exists() and not inner.is_symlink():  # a rule would be one for where it leads
            yield from _read(inner, hidden)


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, access: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if libc.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", access, descriptor), 0):
            raise OSError(ctypes.get_errno(), "landlock_add_rule", str(path))
    finally:
        os.close(descriptor)
