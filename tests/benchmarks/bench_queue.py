"""What the queue costs: from a job's post to its claim by a waiting worker, a post, a look, and a list of many jobs."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from tests.benchmarks.rows import Row
from web.config import Limits, ServeConfig
from web.database.database import Database, open_database
from web.database.tables import JOBS
from web.jobs.job import JobStatus, NewJob
from web.jobs.queue import JobQuery, Queue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPEATS = 30
MANY = 100_000
START_BOUND_S = 0.5

# Another process, as a worker is: it says when it has claimed each job, by the clock that all processes share.
WORKER = """
import sys, time
from pathlib import Path
from web.config import Limits, ServeConfig
from web.database.database import open_database
from web.jobs.job import JobStatus
from web.jobs.queue import Queue

folder = Path(sys.argv[1])
queue = Queue(open_database(ServeConfig(results_dir=folder, state_dir=folder)), Limits())
with queue.database.waiter() as waiter:
    print("ready", flush=True)
    while True:
        waiter.wait(5.0)
        claim = queue.claim("host", ["gpu0"])
        if claim is not None:
            print(time.monotonic(), flush=True)
            queue.ended(claim, JobStatus.COMPLETED)
"""


def new_job() -> NewJob:
    return NewJob(user="ada", suite="human_eval", model_name="m", manifest="{}" * 1000)


def start_times(folder: Path, queue: Queue, repeats: int) -> list[float]:
    command = [sys.executable, "-c", WORKER, folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
        try:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
            times = []
            for _ in range(repeats):
                began = time.monotonic()
                queue.add(new_job())
                times.append(float(worker.stdout.readline()) - began)
                while queue.counts()[JobStatus.RUNNING]:
                    time.sleep(0.01)
            return times
        finally:
            worker.kill()


def milliseconds(call: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


def fill(database: Database) -> None:
    """Many jobs that are done, made of one."""
    with database.decide() as connection:
        pattern = dict(connection.execute(select(JOBS).limit(1)).mappings().one())
        del pattern["number"]
        rows = [pattern | {"job_id": str(number), "user": f"u{number % 50}"} for number in range(MANY)]
        connection.execute(insert(JOBS), rows)


def measure(repeats: int = REPEATS) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="bench-queue-") as name:
        folder = Path(name)
        database = open_database(ServeConfig(results_dir=folder, state_dir=folder))
        queue = Queue(database, Limits(queued_per_user=1_000_000))
        starts = start_times(folder, queue, repeats)
        yield Row(
            "queue: from a post to its claim, p90",
            sorted(starts)[int(0.9 * len(starts))],
            "s",
            START_BOUND_S,
            f"median {statistics.median(starts):.3f}, most {max(starts):.3f}, {len(starts)} jobs",
        )
        before = os.times()
        with database.waiter() as waiter:
            for _ in range(5):
                waiter.wait(0.2)
                queue.claim("host", ["gpu0"])
        after = os.times()
        cost_s = (after.user + after.system - before.user - before.system) / 5
        yield Row(
            "queue: a look that finds nothing, processor", 1000 * cost_s, "ms", None, "each five seconds"
        )
        yield Row("queue: a post", milliseconds(lambda: queue.add(new_job()), repeats), "ms", None, "on disk")
        fill(database)
        calls: dict[str, Callable[[], object]] = {
            "the first page": lambda: queue.jobs(JobQuery()),
            "a user's first page": lambda: queue.jobs(JobQuery(user="u7")),
            "counts by status": queue.counts,
            "places of waiting jobs": queue.places,
            "a look": lambda: queue.claim("host", []),
        }
        for what, call in calls.items():
            yield Row(f"queue: {what}, of {MANY:,} jobs", milliseconds(call, 5), "ms", None, "")
        database.close()
