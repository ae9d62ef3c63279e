"""`serve` by itself, over a thousand runs: when it is ready, how much memory it and its worker take, and what they do
when nobody asks.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.benchmarks.made_runs import made_runs
from tests.benchmarks.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
RUNS, SAMPLES = 1000, 40
IDLE_S = 20.0
SETTLE_S = (
    120.0  # at most, for what it does once after its start: it reads the runs, and makes the leaderboard
)
CALM = 5.0  # percent of a core, below which that is over
MOST_READY_S = 2.0
MOST_WEB_MB, MOST_WORKER_MB = 130.0, 60.0
MOST_IDLE = 2.0  # percent of a core, both together


def measure(repeats: int = 3) -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        results = Path(name) / "results"
        made_runs(results, runs=RUNS, samples=SAMPLES)
        ready = []
        for _ in range(repeats):
            began = time.perf_counter()
            with _serving(results) as process:
                ready.append(time.perf_counter() - began)
                if len(ready) < repeats:
                    continue
                time.sleep(5)
                found = [process, *process.children()]
                deadline = time.monotonic() + SETTLE_S
                while _used(found, 5.0) > CALM and time.monotonic() < deadline:
                    pass
                idle = _used(found, IDLE_S)
                web, worker = (each.memory_info().rss / 1e6 for each in found)
    about = f"{RUNS} runs"
    return [
        Row(
            "serve: ready", min(ready), "s", MOST_READY_S, f"{about}; to the printed link, best of {repeats}"
        ),
        Row("serve: memory of the web process", web, "MB", MOST_WEB_MB, about),
        Row("serve: memory of its worker", worker, "MB", MOST_WORKER_MB, about),
        Row("serve: idle, both", idle, "% of a core", MOST_IDLE, f"{about}, {IDLE_S:.0f} s"),
    ]


@contextlib.contextmanager
def _serving(results: Path) -> Iterator[psutil.Process]:
    with subprocess.Popen(
        [ROOT / "bench_runner.py", "serve", "--results-dir", results, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as started:
        assert started.stdout is not None
        assert started.stdout.readline().startswith(b"dashboard: ")
        yield psutil.Process(started.pid)
        os.kill(started.pid, signal.SIGTERM)
        started.wait()


def _used(processes: list[psutil.Process], seconds: float) -> float:
    """Percent of a core, within that time from now."""
    before = sum(map(_processor_s, processes))
    time.sleep(seconds)
    return 100 * (sum(map(_processor_s, processes)) - before) / seconds


def _processor_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
