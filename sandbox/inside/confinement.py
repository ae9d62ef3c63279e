"""Runs inside the sandbox where it has no namespaces of its own: who ends what programs leave, and what holds them.

Standard library only: this source stands before the zygote's own (sandbox/inside/zygote.py).

The harness starts a keeper, which starts the zygote. Both are subreapers (PR_SET_CHILD_SUBREAPER): whatever a program
starts becomes a child of the zygote when its own parent ends, also what detached itself. So to end one's own
children until there are none ends everything. When the zygote dies the keeper does that; when the keeper dies, the
zygote; when the harness dies, the keeper.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
import time
import typing
from typing import Any

PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 22, 36, 38
SECCOMP_MODE_FILTER = 2
LANDLOCK_RESTRICT_SELF = 446
OWN_PID = b"\xad\xde\xed\xfe"  # in a filter: the number of the process that installs it
OWN_CHILDREN = "/proc/thread-self/children"
PAUSE_S = 0.0005
TO_EMPTY = signal.SIGUSR1
WALL = 0x40000000  # __WALL: wait for the process of the tests too (forks.py)
GONE = object()
NOT_YET = "+"  # before the name of a folder that is still being filled


def keep(at_end: typing.Callable[[], None], aside: str) -> None:
    """Start the zygote, in which this returns; in its parent, the keeper, it never does.

    at_end: called after all. aside: the folder that the keeper empties whenever the zygote has `set_aside` something.
    """
    libc = ctypes.CDLL(None)
    keeper, woken = os.getpid(), {signal.SIGTERM, signal.SIGCHLD, TO_EMPTY}
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, woken)
    zygote = os.fork()
    if zygote == 0:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, woken)
        if os.getppid() != keeper:
            os._exit(1)
        return
    try:
        os.close(0)  # the zygote's: at its end when that or the harness ends
        os.close(1)
        _empty_until_gone(zygote, woken, aside)
        end_children()
        at_end()
    finally:
        os._exit(0)


def _empty_until_gone(zygote: int, woken: typing.Iterable[int], aside: str) -> None:
    """Until it has ended, or this process is to end."""
    left: typing.Iterator[None] = iter(())
    while True:
        try:
            more = next(left, GONE) is None
        except OSError:  # the zygote waits in vain for that to go, and is replaced
            more = False
        said = signal.sigtimedwait(woken, 0.0) if more else signal.sigwaitinfo(woken)
        if said is None:
            continue
        if said.si_signo == TO_EMPTY:
            left = _emptied_one_by_one(aside)
        elif said.si_signo == signal.SIGTERM or os.waitpid(zygote, os.WNOHANG)[0]:
            return


def _emptied_one_by_one(aside: str) -> typing.Iterator[None]:
    """Each folder there for itself, so that the zygote sees how many are left."""
    while places := [name for name in os.listdir(aside) if not name.startswith(NOT_YET)]:
        for name in places:
            yield from emptied(os.path.join(aside, name))
            os.rmdir(os.path.join(aside, name))


def end_children() -> dict[int, tuple[int, resource.struct_rusage]]:
    """Kill and reap until none is left; status and usage of each by its number.

    Not by `kill(-1)`: outside of a PID namespace that is everything of this user. What is killed starts nothing more,
    so its children are complete when they are read after that, and whatever is missed becomes ours. A fork bomb has
    a hundred times our share of the processors: nothing but whole trees at a time would ever get ahead of it.
    """
    found: dict[int, tuple[int, resource.struct_rusage]] = {}
    for attempt in range(sys.maxsize):
        try:
            while (ended := os.wait4(-1, os.WNOHANG | WALL))[0]:
                found.setdefault(ended[0], ended[1:])
        except ChildProcessError:
            return found
        if attempt > 2:
            time.sleep(PAUSE_S)  # they are dying
        kill_below(OWN_CHILDREN)
    return found


def kill_below(path: str) -> None:
    """Once, all that descend from a process; path: the kernel's list of its children."""
    lists = [path]
    for found in lists:  # those added below are read as well
        with contextlib.suppress(OSError), open(found, "rb") as listed:
            for pid in map(int, listed.read().split()):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
                    lists.append(f"/proc/{pid}/task/{pid}/children")


class Filter(ctypes.Structure):
    """struct sock_fprog (linux/filter.h)."""

    _fields_: typing.ClassVar[Any] = [("length", ctypes.c_ushort), ("program", ctypes.c_char_p)]


class Confinement:
    """What is laid on a zygote at once and on each of its children. Raises OSError.

    ruleset: Landlock's, with its flags. zygote_filter, child_filter: for seccomp. Each a descriptor, or None. The first
    filter is long, and to lay it on takes a quarter of a millisecond.
    """

    def __init__(
        self,
        ruleset: typing.Optional[int] = None,
        flags: int = 0,
        zygote_filter: typing.Optional[int] = None,
        child_filter: typing.Optional[int] = None,
    ) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._ruleset, self._flags, self._filter = ruleset, flags, take_file(child_filter)
        # So that no set-user-id program gives a child a user that the zygote could not kill.
        self._check(self._libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        self._lay_on_filter(take_file(zygote_filter))

    def lay_on(self) -> None:
        """On the calling process for good, and on all that it starts."""
        if self._ruleset is not None:
            self._check(self._libc.syscall(LANDLOCK_RESTRICT_SELF, self._ruleset, self._flags))
            os.close(self._ruleset)
        self._lay_on_filter(self._filter.replace(OWN_PID, os.getpid().to_bytes(4, sys.byteorder)))

    def _lay_on_filter(self, program: bytes) -> None:
        if program:
            filled = ctypes.byref(Filter(len(program) // 8, program))
            self._check(self._libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filled, 0, 0))

    @staticmethod
    def _check(answer: int) -> None:
        if answer < 0:
            raise OSError(
                ctypes.get_errno(), "the sandbox can't be sealed: " + os.strerror(ctypes.get_errno())
            )


def seal(program: bytes) -> None:
    """Lay one more filter on the calling process, for good. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    filled = ctypes.byref(Filter(len(program) // 8, program))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filled, 0, 0
    ):
        raise OSError(ctypes.get_errno(), "the program can't be sealed: " + os.strerror(ctypes.get_errno()))


def take_file(descriptor: typing.Optional[int]) -> bytes:
    if descriptor is None:
        return b""
    with open(descriptor, "rb") as file:
        return file.read()


def set_aside(folder: str, aside: str) -> bool:
    """Move all that is in it to where the keeper removes it; whether there was anything. On one file system."""
    found = False
    while entries := list(os.scandir(folder)):
        found = True
        name = os.urandom(16).hex()
        place = os.path.join(aside, NOT_YET + name)
        os.mkdir(place, 0o700)
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                loosen(entry.path)
            os.rename(entry.path, os.path.join(place, entry.name))
        os.rename(place, os.path.join(aside, name))
    if found:
        os.kill(os.getppid(), TO_EMPTY)
    return found


def empty(folder: str) -> None:
    """Remove all that is in it, whatever its permissions, and follow no symbolic link. Nobody else must be at it."""
    for _ in emptied(folder):
        pass


def emptied(folder: str) -> typing.Iterator[None]:
    """Do that one by one, as it is iterated. Something may be added meanwhile."""
    while entries := list(os.scandir(folder)):
        for entry in entries:
            yield
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)
                continue
            # What is in a folder moves up before it goes: a tree may be deeper than a path is long, and Python's
            # stack. A program may have taken the permissions from its own folders.
            loosen(entry.path)
            for inner in os.scandir(entry.path):
                yield
                if inner.is_dir(follow_symlinks=False):
                    loosen(inner.path)
                    os.rename(inner.path, os.path.join(folder, os.urandom(16).hex()))
                else:
                    os.unlink(inner.path)
            os.rmdir(entry.path)


def loosen(folder: str) -> None:
    if os.geteuid() != 0:  # root needs no permission
        os.chmod(folder, 0o700)
