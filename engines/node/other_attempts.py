"""End what is left on this machine of attempts whose coordinator is gone, by the mark in their environment."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from processes.tree import read_member, send_signal
from results.files import read_file

if TYPE_CHECKING:
    from collections.abc import Collection

    from processes.tree import Member

MARK: Final = "BENCH_ATTEMPT"
_LOOK_S: Final = 0.05


def end_others(attempts: Collection[str], grace_s: float) -> None:
    """SIGTERM to all their processes, SIGKILL after grace_s. Returns when none is left."""
    marks = {f"{MARK}={name}".encode() for name in attempts}
    deadline = time.monotonic() + grace_s
    asked: set[int] = set()
    while left := _marked(marks):
        number = signal.SIGTERM if time.monotonic() < deadline else signal.SIGKILL
        for member in left:
            if number is signal.SIGKILL or member.pid not in asked:
                send_signal(member, number)
                asked.add(member.pid)
        time.sleep(_LOOK_S)


def _marked(marks: Collection[bytes]) -> list[Member]:
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208 - often
        if not name.isdigit():
            continue
        try:
            environment = set(read_file(Path(f"/proc/{name}/environ")).split(b"\0"))
        except OSError:
            continue
        member = read_member(int(name)) if not environment.isdisjoint(marks) else None
        if member is not None:
            found.append(member)
    return found
