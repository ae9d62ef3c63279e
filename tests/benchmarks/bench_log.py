"""What adding a run to the run log costs, at 10 and at 10,000."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from results.records import Results, RunRecord, RunStatus, encode_record
from results.store.run_log import RunLog
from results.store.run_log_format import render
from tests.benchmarks.rows import Row

SMALL, LARGE = 10, 10_000
REPEATS = 7
APPENDS = 20  # a repeat
BOUND = 2.0


def record(number: int) -> RunRecord:
    """A record of the usual size, about 2 KB."""
    return RunRecord(
        run_id=f"20261121T034600Z-human_eval-SmolLM2-135M-Q4_1-{number:06x}",
        timestamp="2026-11-21T03:46:00+00:00",
        status=RunStatus.SUCCEEDED,
        benchmark="human_eval",
        model="SmolLM2-135M-Q4_1",
        config={"path": "/models/SmolLM2-135M-Instruct.Q4_1.gguf", "gpu_layers": 80},
        results=Results(score=9.76, time_taken=108.0, raw_output="x" * 1500),
    )


def append_times(log: RunLog) -> list[float]:
    times = []
    for number in range(APPENDS):
        new = record(LARGE + number)
        start = time.perf_counter()
        log.append(new)
        times.append(time.perf_counter() - start)
    return times


def measure() -> list[Row]:
    """Interleaved: each repeat adds runs to a fresh log of either size; a noisy neighbour hits both."""
    documents = {
        size: render([encode_record(record(number)) for number in range(size)]) for size in (SMALL, LARGE)
    }
    medians: dict[int, list[float]] = {SMALL: [], LARGE: []}
    with tempfile.TemporaryDirectory(prefix="bench-log-") as folder:
        log = RunLog(Path(folder) / "benchmark_results.json")
        for repeat in range(REPEATS):
            for size in (SMALL, LARGE) if repeat % 2 else (LARGE, SMALL):
                log.path.write_bytes(documents[size])
                log.append(record(LARGE + APPENDS))  # brings the copy itself to the disk, uncounted
                medians[size].append(statistics.median(append_times(log)))
        assert not log.warnings
    small, large = (1000 * statistics.median(medians[size]) for size in (SMALL, LARGE))
    ratios = [big / little for little, big in zip(medians[SMALL], medians[LARGE], strict=True)]
    spread = f"{REPEATS} repeats, {min(ratios):.2f} to {max(ratios):.2f}"
    return [
        Row("log: append at 10 runs", small, "ms"),
        Row("log: append at 10,000 runs", large, "ms"),
        Row("log: ratio", statistics.median(ratios), "x", BOUND, spread),
    ]
