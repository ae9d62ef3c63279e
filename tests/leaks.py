"""No test leaves a process or a listening port behind, however its programs detached themselves."""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path

import pytest

from servers.ports import listening_inodes, socket_inodes

# Inherited by every process that a test starts, also by those that left the tree.
MARK = f"BENCH_TEST_SESSION={os.getpid()}-{uuid.uuid4().hex}"
os.environ.update([MARK.split("=", 1)])
END_WITHIN_S = 20.0  # what ends by itself does so at once, and on a busy machine a little later


def _processes() -> set[int]:
    return {int(name) for name in os.listdir("/proc") if name.isdigit()}  # noqa: PTH208 - a Path for each takes longer


# Not of this session: there before it began, ourselves too, or seen without our mark.
_STRANGERS = _processes()
_last_pid_without_ours = b""  # the youngest process when none of ours lived


def _last_pid() -> bytes:
    """The number that the youngest process got."""
    return Path("/proc/loadavg").read_bytes().split()[-1]


def marked_processes() -> dict[int, str]:
    """Living processes that this test session started: pid -> command line.

    Asked twice a test: what can't have changed since the last time is not read anew.
    """
    global _last_pid_without_ours  # noqa: PLW0603 - of the session
    last_pid = _last_pid()
    if last_pid == _last_pid_without_ours:
        return {}
    found, unknown, there = {}, False, _processes()
    _STRANGERS.intersection_update(there)  # a number that is free again may become that of one of ours
    for pid in there - _STRANGERS:
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
            if MARK.encode() in environment.split(b"\0"):
                found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            elif environment:
                _STRANGERS.add(pid)
            else:  # a dead one, the kernel's own, or one that becomes another program in this very moment
                unknown = True
        except OSError:
            unknown = True
    _last_pid_without_ours = b"" if found or unknown else last_pid
    return found


def zombies() -> set[int]:
    """Children of ours that nobody reaped."""
    try:
        if os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return set()
    except ChildProcessError:
        return set()
    found = set()
    for pid in _processes() - _STRANGERS:
        try:
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            continue
        if fields[0] == b"Z" and int(fields[1]) == os.getpid():
            found.add(pid)
    return found


def own_ports() -> frozenset[int]:
    """Inodes of the sockets on which the test process itself listens."""
    sockets = socket_inodes(os.getpid())
    # The table of the whole machine is long after many tests, and most tests hold no socket.
    return sockets & listening_inodes(None) if sockets else frozenset()


@pytest.fixture(autouse=True)
def no_leaks():
    """Fails a test after which, in END_WITHIN_S, a process it started still lives or a port of it still listens."""
    processes, ports, dead = set(marked_processes()), own_ports(), zombies()
    yield
    deadline = time.monotonic() + END_WITHIN_S
    while True:
        left = {pid: command for pid, command in marked_processes().items() if pid not in processes}
        problems = [f"process {pid}: {command}" for pid, command in left.items()]
        problems += [f"a listening socket, inode {inode}" for inode in own_ports() - ports]
        problems += [f"process {pid}, dead but not reaped" for pid in zombies() - dead]
        if not problems:
            return
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    for pid in left:
        os.kill(pid, 9)
    pytest.fail("the test left behind: " + "; ".join(problems))
