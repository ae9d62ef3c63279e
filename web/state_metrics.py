"""The state of queue, runs, worker and disk for `/metrics`, read when it is asked for."""

from __future__ import annotations

import logging
import shutil
from typing import TYPE_CHECKING, Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from results.store.run_store import RunQuery
from web.database.tables import JOBS
from web.jobs.rows import WAITING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from web.config import ServeConfig
    from web.services import Services

logger = logging.getLogger(__name__)


def free_bytes(config: ServeConfig) -> int:
    """Room on the disk with the state of jobs."""
    return shutil.disk_usage(config.state_dir).free


class StateMetrics(Collector):
    """Gauges of the services. One that can't be read is left out, and the log says why."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing, so that registering it reads nothing."""
        return []

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The gauges as they are now."""
        services = self._services
        jobs = GaugeMetricFamily("bench_jobs", "Jobs, by status.", labels=["status"])
        for status, count in self._read(services.queue.counts, {}).items():
            jobs.add_metric([str(status)], count)
        yield jobs
        one = {
            "bench_queue_age_seconds": ("How long the longest waiting job waits.", self._queue_age_s),
            "bench_runs": ("Runs that are shown.", lambda: services.store.runs(RunQuery(limit=1)).total),
            "bench_worker_up": (
                "1 if the worker beside serve works, or none was asked for.",
                lambda: float(services.worker_state() == "ok"),
            ),
            "bench_event_streams": ("Open event streams.", lambda: services.streams.open),
            "bench_disk_free_bytes": ("Room for jobs.", lambda: free_bytes(services.config)),
        }
        for name, (text, read) in one.items():
            value = self._read(read, None)
            if value is not None:
                yield GaugeMetricFamily(name, text, value=float(value))

    def _queue_age_s(self) -> float:
        database = self._services.queue.database
        asked = select(func.min(JOBS.c.created_at)).where(JOBS.c.status.in_(WAITING))
        with database.read() as connection:
            since, now = connection.execute(asked).scalar_one(), database.now(connection)
        return 0.0 if since is None else max(0.0, now - since)

    @staticmethod
    def _read(read: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return read()
        except Exception:
            logger.exception("a metric can't be read")
            return otherwise
