"""What a worker of `serve` costs, and how soon it does what is asked: with jobs that launch a slow server."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.rows import Row
from tests.command_line import PROGRAM, PROGRAMS, wait_for
from tests.sweep_runs import models
from web.config import ServeConfig
from web.database.database import open_database
from web.jobs.job import JobStatus, NewJob
from web.jobs.queue import Queue
from web.working.job_folder import AttemptFolder
from web.working.job_process import left_behind

if TYPE_CHECKING:
    from collections.abc import Iterator

REPEATS = 5
IDLE_S = 10.0
START_S, GONE_S, MOST_MIB, IDLE_SHARE = 0.5, 15.0, 60.0, 0.02
LONG_S = 120.0


def measure(repeats: int = REPEATS) -> Iterator[Row]:
    """The rows, as they are measured."""
    with tempfile.TemporaryDirectory(prefix="bench-worker-") as name:
        folder = Path(name)
        config = ServeConfig(results_dir=folder / "results", state_dir=folder / "state")
        database = open_database(config)
        queue = Queue(database, config.limits)
        (folder / "tmp").mkdir()
        words = [PROGRAM, "worker", "--results-dir", config.results_dir, "--state-dir", config.state_dir]
        with (folder / "log").open("wb") as log:
            worker = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stderr=log, env={**os.environ, "TMPDIR": str(folder / "tmp")}
            )
        try:
            wait_for(lambda: "worker on" in (folder / "log").read_text(), LONG_S)
            before, began = _processor_s(worker.pid), time.monotonic()
            time.sleep(IDLE_S)
            share = (_processor_s(worker.pid) - before) / (time.monotonic() - began)
            yield Row("worker: idle", share, "cores", IDLE_SHARE)
            yield from _jobs(queue, config, folder, repeats)
            yield Row("worker: memory after jobs", _resident_mib(worker.pid), "MiB", MOST_MIB)
        finally:
            worker.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(60)
            worker.kill()
            worker.wait()
            database.close()


def _jobs(queue: Queue, config: ServeConfig, folder: Path, repeats: int) -> Iterator[Row]:
    starts, signalled, gone = [], [], []
    (model,) = models(folder / "models", "m")
    server = [sys.executable, str(PROGRAMS / "canonical_server.py"), "--delay", "1", "--port"]
    run = {
        "benchmark": "human_eval",
        "model": str(model),
        "server_command": shlex.join(server) + " {port}",
        "sandbox": "process",
        "limit": 100,
    }
    for _ in range(repeats):
        new = NewJob(user="ada", suite="human_eval", model_name="m", manifest=json.dumps({"runs": [run]}))
        began = time.monotonic()
        job = queue.add(new)
        attempt = AttemptFolder.of(config.jobs_dir, job.job_id, 1)
        wait_for(attempt.is_running, LONG_S)
        starts.append(time.monotonic() - began)
        wait_for(lambda attempt=attempt: "generating" in attempt.log.read_text(), LONG_S)
        began = time.monotonic()
        queue.cancel(job.job_id, "ada")
        wait_for(lambda attempt=attempt: "interrupted" in attempt.log.read_text(), LONG_S)
        signalled.append(time.monotonic() - began)
        wait_for(lambda job_id=job.job_id: queue.get(job_id).status is JobStatus.CANCELLED, LONG_S)
        assert not left_behind(attempt)
        gone.append(time.monotonic() - began)
    note = f"{repeats} jobs, the slowest"
    yield Row("worker: from POST to the start of its process", max(starts), "s", START_S, note)
    yield Row("worker: from cancel to the sweep's last words", max(signalled), "s", None, note)
    yield Row("worker: from cancel until no process is left", max(gone), "s", GONE_S, note)
    yield Row("worker: the same, median", statistics.median(gone), "s")


def _processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024
