"""Runs inside the sandbox, in its zygote: forks of it, until each is what it is to be.

Standard library only: this source stands before the zygote's own (sandbox/inside/zygote.py).
"""

import ctypes
import os
import typing
from typing import Any

from sandbox.inside.child import RESULT_BYTES, limit, prepare
from sandbox.inside.confinement import seal

READY = b"."
SYS_CLONE = {"x86_64": 56, "aarch64": 220}


class NotReady(Exception):
    """A child could not be prepared; what it said."""


def fork_unseen() -> int:
    """A fork for which no plain wait waits, so that a wait tells whether anything else is left. Raises OSError.

    At its end it sends no SIGCHLD, which is what makes it such a child (wait(2): `__WCLONE`); an orphan that becomes a
    child of the zygote sends one. Where the number of the call is not known, it is a plain fork.
    """
    number = SYS_CLONE.get(os.uname().machine)
    if number is None:
        return os.fork()
    libc = ctypes.PyDLL(None, use_errno=True)  # holds the interpreter's lock, as a fork does
    pid: int = -1
    ctypes.pythonapi.PyOS_BeforeFork()
    try:
        pid = libc.syscall(number, 0, 0, 0, 0, 0)
    finally:
        if pid == 0:
            ctypes.pythonapi.PyOS_AfterFork_Child()
        else:
            ctypes.pythonapi.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return pid


def close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def become(
    request: dict[str, Any],
    stdin: str,
    outputs: tuple[int, int],
    ready: int,
    confine: typing.Callable[[], None],
) -> None:
    """Streams, limits and confinement of a child. ready: is told so, or else why not, and closed."""
    try:
        prepare(request["folder"], stdin, *outputs)
        limit(request)
        confine()
        if request["seal"]:
            seal(bytes.fromhex(request["seal"]))
    except Exception as error:  # a signal of the zygote's is none: this process is gone, then
        leave(ready, repr(error).encode("utf-8", "replace"))
    os.write(ready, READY)
    os.close(ready)


def leave(descriptor: int, word: bytes) -> typing.NoReturn:
    try:
        os.write(descriptor, word[:RESULT_BYTES])
    finally:
        os._exit(0)


def wait_ready(descriptor: int, lost: typing.Callable[[bytes], typing.NoReturn]) -> None:
    """Until a child says that it is ready; then what comes on fd 0 is not for it any more."""
    word = os.read(descriptor, RESULT_BYTES)
    if word != READY:
        lost(word)
    os.close(descriptor)


def not_ready(word: bytes) -> typing.NoReturn:
    """What the zygote makes of another word than `READY`. Raises NotReady, SystemExit."""
    if not word:
        raise SystemExit("a child was killed before it began")
    raise NotReady(word.decode("utf-8", "replace"))
