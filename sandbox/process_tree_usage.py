"""What all processes of one program use together, seen from outside through /proc."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import NamedTuple

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_LISTED = Path("/proc/thread-self/children").exists()  # a kernel with CONFIG_PROC_CHILDREN
_SCHEDULED = Path("/proc/self/schedstat").exists()  # a kernel that counts what its scheduler does
_LONGEST_GAP_S = 0.5  # between two looks that are believed: a machine that was stopped leaves a longer one
_PROTOCOLS = "net/protocols"
_SOCKET_BYTES = 212_992  # net.core.wmem_default, which the filter of system calls lets nobody raise
with contextlib.suppress(OSError, ValueError):
    _SOCKET_BYTES = int(Path("/proc/sys/net/core/wmem_default").read_bytes())
_ON_THE_WAY = {b"R", b"D"}  # runs or waits for a processor; waits for the disk


class Use(NamedTuple):
    """cpu_s: processor time so far. idle_s: time so far in which no thread ran or wanted to.

    memory_bytes: resident now beyond what each has from the zygote; what processes share counts for each. Where the
    program has a network namespace of its own, also the most that may wait in its sockets.
    tasks: processes and threads now.
    """

    cpu_s: float
    idle_s: float
    memory_bytes: int
    tasks: int


class ProcessTreeUsage:
    """The descendants of `zygote_parent`'s child: the program in that sandbox. began: `time.monotonic`.

    What judges it may have judged others before: of a process that is older than the program, only what it uses from
    the first look on counts.

    Idle time is what is left of the wall time after running and after waiting for a processor, both as the kernel's
    scheduler counts them (/proc/PID/task/TID/schedstat; Documentation/scheduler/sched-stats.rst), so it grows for a
    program that sleeps and not for one that is starved. A kernel without these counters gives no idle time.
    """

    def __init__(self, zygote_parent: int, began: float) -> None:
        self._zygote_parent = zygote_parent
        self._looked = began
        self._began_ticks = (
            time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic() + began
        ) * _TICKS_PER_S
        self._used_before_s: dict[int, float] = {}
        self._scheduled_s: dict[int, float] = {}
        self._cpu_s = 0.0
        self._idle_s = 0.0

    def look(self, now: float) -> Use:
        """Called now and then; what happens between two looks is seen at the second one."""
        cpu_s, memory_bytes, wanting = 0.0, 0, False
        zygotes = _children(self._zygote_parent)
        shared_bytes = _resident_bytes(zygotes)
        scheduled_s: dict[int, float] = {}
        for pid in _descendants(zygotes):
            with contextlib.suppress(OSError):  # it has ended just now
                fields = _stat(Path(f"/proc/{pid}/stat"))
                # With those of its children that it waited for.
                used_s = sum(int(ticks) for ticks in fields[11:15]) / _TICKS_PER_S
                if int(fields[19]) + 1 < self._began_ticks:  # it started before
                    used_s -= self._used_before_s.setdefault(pid, used_s)
                cpu_s += used_s
                memory_bytes += max(0, int(fields[21]) * _PAGE_BYTES - shared_bytes)
                for thread in Path(f"/proc/{pid}/task").iterdir():
                    with contextlib.suppress(OSError):
                        wanting = wanting or _stat(thread / "stat")[0] in _ON_THE_WAY
                        scheduled_s[int(thread.name)] = _scheduled_s(thread) if _SCHEDULED else 0.0
        memory_bytes += (
            sum(_sockets(zygote) for zygote in zygotes) * _SOCKET_BYTES * 3 // 2
        )  # and a last message
        spent_s = sum(
            value - self._scheduled_s.get(thread, 0.0)
            for thread, value in scheduled_s.items()
            if self._scheduled_s or thread not in self._used_before_s
        )
        spent_s = max(spent_s, cpu_s - self._cpu_s)
        if _SCHEDULED and scheduled_s and not wanting:  # without a process yet it is its zygote that is late
            self._idle_s += max(0.0, min(now - self._looked, _LONGEST_GAP_S) - spent_s)
        self._looked, self._scheduled_s, self._cpu_s = now, scheduled_s, cpu_s
        return Use(cpu_s, self._idle_s, memory_bytes, len(scheduled_s))


def _resident_bytes(zygotes: list[int]) -> int:
    """What the first one that lives holds; 0 where none does."""
    for zygote in zygotes:
        with contextlib.suppress(OSError):
            return int(_stat(Path(f"/proc/{zygote}/stat"))[21]) * _PAGE_BYTES
    return 0


def _sockets(zygote: int) -> int:
    """How many Unix sockets its network namespace has, also closed ones in which something waits; 0 in our own."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        path = f"/proc/{zygote}/{_PROTOCOLS}"
        if Path(path).stat().st_ino != Path(f"/proc/self/{_PROTOCOLS}").stat().st_ino:
            lines = Path(path).read_bytes().split(b"\n")
            return sum(int(line.split()[2]) for line in lines if line.startswith(b"UNIX"))
    return 0


def _descendants(pids: list[int]) -> list[int]:
    found = [child for pid in pids for child in _children(pid)]
    for child in found:
        found += _children(child)  # found below are looked into as well
    return found


def _children(pid: int) -> list[int]:
    """The kernel's own list of them. To look for them through all of /proc took twenty times as long."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += map(int, (thread / "children").read_bytes().split())
    if not found and not _LISTED:
        import psutil  # takes as long as a bwrap to start, and most kernels have a list

        with contextlib.suppress(psutil.Error):
            found = [child.pid for child in psutil.Process(pid).children()]
    return found


def _stat(path: Path) -> list[bytes]:
    """The fields after the name in parentheses, which may hold anything: state first (proc_pid_stat(5))."""
    return path.read_bytes().rpartition(b")")[2].split()


def _scheduled_s(thread: Path) -> float:
    ran_ns, waited_ns, _times = (thread / "schedstat").read_bytes().split()
    return (int(ran_ns) + int(waited_ns)) / 1e9
