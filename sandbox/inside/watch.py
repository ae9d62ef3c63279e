"""Runs inside the sandbox, in its zygote: waits for the end of a program, looks at what it prints and writes.

Standard library only: this source stands before the zygote's own (sandbox/inside/zygote.py).
"""

import mmap
import os
import select
import signal
import time
import typing
from typing import Any

FOLDER_LOOK_S = 0.1  # how often folders that are not bounded by themselves are looked at
SHORTEST_LOOK_S = 0.01
MOST_FILES = 10_000  # in such a folder, or else to look takes too long
LONGEST_PATH = 4000  # PATH_MAX is 4096
CALL_S = 0.2  # for the tests of a program that is out of time to say which call it was
_SCRATCH_BYTES = 65536


class Kept:
    """The beginning of what comes through a pipe, in memory that no fork has.

    So no program finds there what an earlier one printed.
    """

    def __init__(self, descriptor: int, size: int) -> None:
        self.descriptor = descriptor
        self.length = 0
        self._size = size
        self._memory = _spare.pop(size) if size in _spare else _unshared_memory(size + _SCRATCH_BYTES)
        os.set_blocking(descriptor, False)

    def take(self) -> int:
        """What is there by now, at most some 64 KiB; how much it was, 0 at the end. Raises BlockingIOError."""
        with memoryview(self._memory) as whole, whole[self.length : self.length + _SCRATCH_BYTES] as part:
            taken = os.readv(self.descriptor, [part])
        self.length = min(self._size, self.length + taken)
        return taken

    def view(self) -> memoryview:
        """What is kept."""
        return memoryview(self._memory)[: self.length]

    def forget(self) -> None:
        """To be called once no view is left; memory of a small size serves the next one."""
        if self._size <= _SCRATCH_BYTES:
            _spare[self._size] = self._memory
        else:
            self._memory.close()


_spare: dict[int, mmap.mmap] = {}  # by the size that is kept in it


def _unshared_memory(size: int) -> mmap.mmap:
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_DONTFORK)
    return memory


class Watch:
    """Takes what comes through the pipes until all is over. limit_bytes: of all that is printed."""

    def __init__(self, kept: typing.Sequence[Kept], limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._total_bytes = 0
        self._open = {one.descriptor: one for one in kept}

    @property
    def flooded(self) -> bool:
        return self._total_bytes > self._limit_bytes

    def until_end(
        self,
        clocks: typing.Mapping[int, typing.Callable[[], float]],
        word: typing.Optional[int],
        deadline: float,
        cpu_limit_s: float,
        overfull: typing.Optional[typing.Callable[[], bool]],
        read_word: typing.Callable[[], Any],
    ) -> tuple[str, Any]:
        """What happens first. clocks: the processor time of each process that is waited for.

        "exit": one of them ended, or something can be read from `word`. "cpu", with its number; "wall", "output",
        "files" where `overfull` says so, or "stopped" with the harness's word, which `read_word` reads.
        """
        pidfds = [os.pidfd_open(pid) for pid in clocks]
        ends = pidfds if word is None else [*pidfds, word]
        next_look = time.monotonic() + FOLDER_LOOK_S
        try:
            poll = select.poll()
            for descriptor in (0, *ends, *self._open):
                poll.register(descriptor, select.POLLIN)
            while True:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    return "wall", None
                cpu_left_s, longest = min((cpu_limit_s - clock(), pid) for pid, clock in clocks.items())
                if cpu_left_s <= 0:
                    return "cpu", longest
                if overfull is not None:
                    left_s = min(left_s, FOLDER_LOOK_S)
                    if time.monotonic() > next_look:
                        if overfull():
                            return "files", None
                        next_look = time.monotonic() + FOLDER_LOOK_S
                wait_s = min(left_s, max(cpu_left_s, SHORTEST_LOOK_S))
                ready = {descriptor for descriptor, _ in poll.poll(1000 * wait_s)}
                for descriptor in self._open.keys() & ready:
                    self._take(descriptor)
                    if descriptor not in self._open:
                        poll.unregister(descriptor)
                if self.flooded:
                    return "output", None
                if ready.intersection(ends):
                    return "exit", None
                if 0 in ready:
                    return "stopped", read_word()
        finally:
            for descriptor in pidfds:
                os.close(descriptor)

    def take_all(self) -> None:
        for descriptor in tuple(self._open):
            self._take(descriptor)

    def _take(self, descriptor: int) -> None:
        """Take what is there, at most twice the limit: its writers may still be at it."""
        while self._total_bytes <= 2 * self._limit_bytes:
            try:
                taken = self._open[descriptor].take()
            except BlockingIOError:
                return
            if not taken:
                del self._open[descriptor]
                return
            self._total_bytes += taken


def ask_for_call(judge: int) -> None:
    """Let the process of the tests say which call took so long, if it can say it soon, and end."""
    end = os.pidfd_open(judge)
    try:
        os.kill(judge, signal.SIGUSR1)
        select.select([end], [], [], CALL_S)
    finally:
        os.close(end)


def clock_of(pid: int) -> typing.Callable[[], float]:
    """Seconds of processor time that a process has used, as the scheduler counts them, until it is waited for.

    Exactly: RLIMIT_CPU and wait4(2) count clock ticks, a fifth off on a busy machine.
    """
    number = (~pid << 3) | 2  # clock_getcpuclockid(3); linux/posix-timers.h: CPUCLOCK_SCHED
    return lambda: time.clock_gettime(number)


def files_in(folder: str) -> int:
    """Of a file system of its own, as it counts them itself."""
    found = os.statvfs(folder)
    return found.f_files - found.f_ffree


def hold_too_much(folders: typing.Iterable[str], most_bytes: int) -> bool:
    """Whether folders hold more, or more files than `MOST_FILES`, or hide what they hold. Looks at each file."""
    size, count = 0, 0
    folders = list(folders)
    while folders:
        folder = folders.pop()
        try:
            for entry in os.scandir(folder):
                size += entry.stat(follow_symlinks=False).st_blocks * 512
                count += 1
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                if size > most_bytes or count > MOST_FILES or len(entry.path) > LONGEST_PATH:
                    return True
        except FileNotFoundError:  # gone meanwhile
            continue
        except OSError:
            return True
    return False
