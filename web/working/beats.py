"""When a worker must say again that it has a job."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def seconds_since_boot() -> float:
    """Goes on while the machine sleeps, as leases do."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Beats:
    """When each job's worker was heard last, by two clocks: a lease ends by the database's clock, which may be this
    machine's wall clock, and that may be set.
    """

    def __init__(
        self, *, clock: Callable[[], float] = seconds_since_boot, wall: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self._wall = wall
        self._heard: dict[str, tuple[float, float]] = {}

    def heard(self, job_id: str) -> None:
        """The database has just heard of it."""
        self._heard[job_id] = (self._clock(), self._wall())

    def is_due(self, job_id: str, every_s: float) -> bool:
        """Whether either clock has moved so far since."""
        clock, wall = self._heard[job_id]
        return self._clock() - clock >= every_s or abs(self._wall() - wall) >= every_s

    def forget(self, job_id: str) -> None:
        """It has ended."""
        self._heard.pop(job_id, None)
