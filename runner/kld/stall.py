"""Whether a process tree does anything: a program that hangs, in a GPU's driver say, takes no processor time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LOOK_S = 1.0
_BUSY = 0.01  # of one processor: what waits for a program takes less


class Idleness:
    """Look often; `seconds` is how long the processes have taken next to no processor time.

    A network disk may let a program wait for minutes, so give it time.
    """

    def __init__(self) -> None:
        self._looked_at: float | None = None
        self._cpu_s = 0.0
        self._busy_at = time.monotonic()

    def note_progress(self) -> None:
        """Something came from them."""
        self._busy_at = time.monotonic()

    def seconds(self, pids: Iterable[int]) -> float:
        """Looks at most once a second."""
        now = time.monotonic()
        if self._looked_at is None or now - self._looked_at >= _LOOK_S:
            cpu_s = _cpu_s(pids)
            if self._looked_at is None or abs(cpu_s - self._cpu_s) > _BUSY * (now - self._looked_at):
                self._busy_at = now  # a process that ended makes the sum smaller
            self._looked_at, self._cpu_s = now, cpu_s
        return now - self._busy_at


def _cpu_s(pids: Iterable[int]) -> float:
    import psutil

    total = 0.0
    for pid in pids:
        try:
            times = psutil.Process(pid).cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
    return total
