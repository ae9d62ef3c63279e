"""When a waiting job is expected to start, from what the running ones still need."""

from __future__ import annotations

import heapq
import statistics
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from web.database.tables import JOBS
from web.jobs.job import JobStatus
from web.jobs.rows import ACTIVE, WAITING

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Row

    from web.config import Limits

_LATEST = 200  # completed jobs that a duration is taken from
_NEEDED = tuple(
    JOBS.c[name]
    for name in (
        *("job_id", "status", "suite", "model_name", "needs_device", "created_at"),
        *("estimated_duration_s", "running_s"),
    )
)
_TAKEN_WITHIN_S = 1.0  # a worker takes a job that it can run sooner than that
_SOONEST_S = 5.0  # a job that takes longer than expected may end at any moment


def starts_in_s(connection: Connection, limits: Limits, now: float) -> dict[str, float]:
    """By job_id: in how many seconds each waiting job is expected to start.

    How many devices there are only the workers know; but if a job that needs one still waits although there is a place,
    those that are in use are all that there are.
    A job needs what its estimate says; without one, the median of completed jobs of its suite and model, of its model,
    or of all; without any, it may need all that it is allowed.
    """
    rows = connection.execute(
        select(*_NEEDED).where(JOBS.c.status.in_((*WAITING, *ACTIVE))).order_by(JOBS.c.rank, JOBS.c.number)
    ).all()
    durations = _Durations(connection, limits.job_s)
    places = [0.0] * limits.jobs_at_once
    running = sorted((durations.left_s(row) for row in rows if row.status in ACTIVE), reverse=True)
    places[: len(running)] = running[: limits.jobs_at_once]
    heapq.heapify(places)
    devices = [durations.left_s(row) for row in rows if row.status in ACTIVE and row.needs_device]
    waits_for_one = len(running) < limits.jobs_at_once and any(
        row.status == JobStatus.PENDING and row.needs_device and now - row.created_at > _TAKEN_WITHIN_S
        for row in rows
    )
    if not waits_for_one:
        devices = []
    heapq.heapify(devices)
    starts: dict[str, float] = {}
    for row in rows:
        if row.status in WAITING:
            on_device = devices and row.needs_device
            start = max(places[0], devices[0]) if on_device else places[0]
            starts[row.job_id] = start
            heapq.heapreplace(places, start + durations.left_s(row))
            if on_device:
                heapq.heapreplace(devices, start + durations.left_s(row))
    return starts


class _Durations:
    """What jobs needed so far."""

    def __init__(self, connection: Connection, most_s: float) -> None:
        self._most_s = most_s
        latest = connection.execute(
            select(JOBS.c.suite, JOBS.c.model_name, JOBS.c.running_s)
            .where(JOBS.c.status == JobStatus.COMPLETED)
            .order_by(JOBS.c.number.desc())
            .limit(_LATEST)
        )
        self._done = [row for row in latest if row.running_s > 0]

    def left_s(self, row: Row[Any]) -> float:
        """What the row's job still needs."""
        expected: float | None = row.estimated_duration_s
        if expected is None:
            expected = self._median_s(row.suite, row.model_name)
        return max(min(expected, self._most_s) - float(row.running_s), _SOONEST_S)

    def _median_s(self, suite: str, model_name: str) -> float:
        alike = (
            [done.running_s for done in self._done if (done.suite, done.model_name) == (suite, model_name)],
            [done.running_s for done in self._done if done.model_name == model_name],
            [done.running_s for done in self._done],
        )
        return next((statistics.median(found) for found in alike if found), self._most_s)
