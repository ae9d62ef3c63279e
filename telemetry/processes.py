"""CPU, memory and I/O of the server's whole process tree, from /proc.

Read without psutil, which costs twice as much. Memory is not PSS, because
/proc/PID/smaps_rollup takes 10 ms per mapped GiB (2 ms for a model of 100 MB), during which the process
cannot map memory.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple

from telemetry.contract import ProcessReading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LOOK_EVERY_S = 1.0  # between searches for new members, which read all of /proc
LOOK_SHARE = 0.005  # of one core at most: on a machine with many processes, searches are rarer
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class _Seen(NamedTuple):
    """One process at one reading. Ticks and I/O include the children that it waited for."""

    start: int
    parent: int
    alive: bool
    cpu_ticks: int
    children_cpu_ticks: int
    io_bytes: tuple[int, int] | None


class ProcessTree:
    """Counters that only grow, whichever members come or go, and the memory of the living members.

    pids: gives the members' process ids, such as `ManagedProcess.tree`; is called about once a second. A process
    that lived and died between two readings counts once its parent, a member, has waited for it.
    """

    def __init__(self, pids: Callable[[], Iterable[int]]) -> None:
        self._pids = pids
        self._members: dict[int, _Seen] = {}
        self._look_s = 0.0
        # Of members that are gone and whose counters nobody inherited.
        self._gone_cpu_ticks = 0
        self._gone_io_bytes: tuple[int, int] | None = None

    def read(self) -> ProcessReading:
        """Read the tree. Never raises for what a process does; what `pids` raises passes through.

        memory_bytes: private memory of each, and the file and shared pages of the one that has most of them: a
        model or a library that all map counts once. I/O is what reached the storage: read_bytes stays low for a model
        that was in the page cache. None if the kernel reports it for no process (another user's).
        """
        self._look()
        members = {}
        gone = []
        for pid, before in self._members.items():
            now = _see(pid)
            if now is not None and now.start == before.start:
                members[pid] = now
            else:
                gone.append(before)
        self._bury(gone, members)
        self._members = members

        ios = [seen.io_bytes for seen in members.values() if seen.io_bytes is not None]
        if self._gone_io_bytes is not None:
            ios.append(self._gone_io_bytes)
        living = [pid for pid, seen in members.items() if seen.alive]
        return ProcessReading(
            count=len(living),
            cpu_s=round(
                (self._gone_cpu_ticks + sum(seen.cpu_ticks for seen in members.values())) * _TICK_S, 2
            ),
            memory_bytes=_memory_bytes(living),
            read_bytes=sum(io[0] for io in ios) if ios else None,
            written_bytes=sum(io[1] for io in ios) if ios else None,
        )

    def _look(self) -> None:
        """Find new members: at every call while there are none, which is cheap, otherwise now and then."""
        began = time.monotonic()
        if began < self._look_s and any(seen.alive for seen in self._members.values()):
            return
        for pid in self._pids():
            known = self._members.get(pid)
            now = _see(pid)
            if now is None or (known is not None and known.start == now.start):
                continue
            if known is not None:  # the pid was reused
                self._bury([known], self._members)
            self._members[pid] = now
        # Parents first: a child that is waited for between the two reads is then never counted twice.
        self._members = dict(sorted(self._members.items(), key=lambda item: item[1].start))
        ended = time.monotonic()
        self._look_s = ended + max(LOOK_EVERY_S, (ended - began) / LOOK_SHARE)

    def _bury(self, gone: list[_Seen], members: dict[int, _Seen]) -> None:
        """Keep the counters of members that are gone, unless their parent waited for them and inherited these."""
        inherited: dict[int, int] = {}
        for seen in gone:
            before = self._members.get(seen.parent)
            # Read again: the parent may have been read before it waited.
            now = None if before is None else _see(seen.parent)
            if before is not None and now is not None and now.start == before.start:
                members[seen.parent] = now
                taken = inherited.get(seen.parent, 0) + seen.cpu_ticks
                if now.children_cpu_ticks - before.children_cpu_ticks >= taken:
                    inherited[seen.parent] = taken
                    continue
            self._gone_cpu_ticks += seen.cpu_ticks
            if seen.io_bytes is not None:
                had = self._gone_io_bytes or (0, 0)
                self._gone_io_bytes = (had[0] + seen.io_bytes[0], had[1] + seen.io_bytes[1])


def _see(pid: int) -> _Seen | None:
    """The process's counters; None if it no longer exists. A zombie still has its times."""
    stat = _read(f"/proc/{pid}/stat")
    # The name in parentheses may hold anything, parentheses too; fields 3, 4, 14 to 17 and 22 are counted after it.
    fields = stat[stat.rfind(b")") + 2 :].split()
    if len(fields) < 20:
        return None
    own, children = int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
    return _Seen(
        start=int(fields[19]),
        parent=int(fields[1]),
        alive=fields[0] not in {b"Z", b"X"},
        cpu_ticks=own + children,
        children_cpu_ticks=children,
        io_bytes=_io_bytes(pid),
    )


def _io_bytes(pid: int) -> tuple[int, int] | None:
    words = _read(f"/proc/{pid}/io").split()
    try:
        return int(words[words.index(b"read_bytes:") + 1]), int(words[words.index(b"write_bytes:") + 1])
    except ValueError:  # another user's, or a kernel that doesn't count it
        return None


def _memory_bytes(pids: Iterable[int]) -> int:
    private, most_shared = 0, 0
    for pid in pids:
        fields = _read(f"/proc/{pid}/statm").split()
        if len(fields) > 2:
            resident, shared = int(fields[1]), int(fields[2])
            private += resident - shared
            most_shared = max(most_shared, shared)
    return (private + most_shared) * _PAGE_BYTES


def _read(path: str) -> bytes:
    """The file's content; empty if it can't be read because the process is gone or belongs to another user."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, 4096)
    except OSError:
        return b""
    finally:
        os.close(descriptor)
