"""Find living processes by descent, and signal exactly the intended process.

It imports little, because the guardian imports it.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]
import os


class Member:
    """One living process. Its pid and start time together are unique while the machine is up."""

    __slots__ = ("group", "parent", "pid", "session", "start")

    def __init__(self, pid: int, parent: int, group: int, session: int, start: int) -> None:
        self.pid = pid
        self.parent = parent
        self.group = group
        self.session = session
        self.start = start


def read_member(pid: int) -> Member | None:
    """The process, from /proc/PID/stat; None if it is gone or a zombie."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        stat = os.read(fd, 4096)
    except OSError:
        return None
    finally:
        os.close(fd)
    # The name in parentheses may contain anything, even parentheses; fields 3 to 6 and 22 are counted after it.
    fields = stat[stat.rfind(b")") + 2 :].split()
    if len(fields) < 20 or fields[0] in {b"Z", b"X"}:
        return None
    return Member(pid, int(fields[1]), int(fields[2]), int(fields[3]), int(fields[19]))


def descendants(root: int) -> list[Member]:
    """All living descendants of root, without root itself, parents before children."""
    children: dict[int, list[Member]] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib costs the guardian 10 ms of start
        member = read_member(int(name)) if name.isdigit() else None
        if member is not None:
            children.setdefault(member.parent, []).append(member)
    found: list[Member] = []
    seen = {root}
    frontier = [root]
    while frontier:
        for member in children.get(frontier.pop(), ()):
            if member.pid not in seen:  # a pid that is reused during the scan could form a loop
                seen.add(member.pid)
                found.append(member)
                frontier.append(member.pid)
    return found


def send_signal(member: Member, number: int) -> None:
    """Signal this very process, never another one that has got its pid since."""
    try:
        fd = os.pidfd_open(member.pid)
    except ProcessLookupError:
        return
    except OSError:  # no pidfd on this kernel; the race below is as short as possible
        fd = -1
    try:
        now = read_member(member.pid)
        if now is None or now.start != member.start:
            return
        if fd >= 0:
            signal.pidfd_send_signal(fd, number)
        else:
            os.kill(member.pid, number)
    except OSError:  # gone, or now another user's (setuid): we can't signal it
        return
    finally:
        if fd >= 0:
            os.close(fd)
