"""A sweep over many machines: what the coordinator costs, in a simulation of 10,000 runs over 200 nodes that die at
random; and what an engine costs, on two real hosts.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from results.records import RunStatus
from results.store.run_log import RUN_LOG_NAME, RunLog
from results.store.sweep_folder import SweepFolder
from tests.benchmarks.rows import Row
from tests.engines.driving import Said
from tests.engines.fake_engine import FakeEngine, FakeMachines, Faults, coordinator, planned_sweep, twice

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNS, NODES = 10_000, 200
FEW = 1_000
A_UNIT = 4  # runs
FAULTS = Faults(dies=0.05, refuses=0.02, fails=0.01, slow=0.1, zombie=0.3)


@dataclass(frozen=True, kw_only=True)
class Simulated:
    """plan_s, work_s: processor time, without what played the machines. wrong: runs lost, done or logged twice."""

    runs: int
    plan_s: float
    work_s: float
    wall_s: float
    died: int
    attempts: int
    files: int
    wrong: int


def measure() -> Iterator[Row]:
    few, many = simulated(FEW), simulated(RUNS)
    what = f"{RUNS} runs, {NODES} nodes, {many.attempts} attempts, {many.died} nodes died; {many.wall_s:.0f} s here"
    yield Row("runs lost, or done or logged twice", many.wrong + few.wrong, "runs", 0, what)
    yield Row("coordinator's processor time a run", 1000 * many.work_s / RUNS, "ms", 5.0)
    growth = (many.work_s / many.runs) / (few.work_s / few.runs)
    yield Row("its growth", growth, "x", 2.0, f"a run of {RUNS} against one of {FEW}")
    yield Row("planning, processor time a run", 1000 * many.plan_s / RUNS, "ms", 5.0)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield Row("memory", memory, "MiB", 400.0, "the most of this process, plan and machines included")
    yield Row("files a run", many.files / RUNS, "files", 8.0, "results folder and attempts, once all is done")


def simulated(runs: int) -> Simulated:
    """One sweep through the real coordinator."""
    with tempfile.TemporaryDirectory(prefix="bench-engines-") as name:
        os.environ["XDG_CACHE_HOME"] = name
        folder = Path(name)
        began = time.process_time()
        sweep, planned = planned_sweep(folder, models=runs // A_UNIT, runs=A_UNIT)
        plan_s = time.process_time() - began
        machines = FakeMachines(1, NODES, folder / "answered.log", FAULTS)
        began, clock = time.process_time(), time.monotonic()
        with sweep.claim():
            work = coordinator(sweep, planned, FakeEngine(machines), said=Said())
            work.work()
            while work.given_up:  # what died again and again is for --resume
                work = coordinator(sweep, planned, FakeEngine(machines), said=Said())
                work.work()
        work_s = time.process_time() - began - machines.own_s
        wall_s = time.monotonic() - clock
        there = SweepFolder(sweep.path).runs(warn=print)
        logged = Counter(
            record.run_id for record in RunLog(sweep.results_dir / RUN_LOG_NAME).lines().values()
        )
        ended = (RunStatus.SUCCEEDED, RunStatus.FAILED)
        done = sum(record.status in ended and logged[run.run_id] == 1 for run, record in there.values())
        return Simulated(
            runs=runs,
            plan_s=plan_s,
            work_s=work_s,
            wall_s=wall_s,
            died=machines.died,
            attempts=sum(1 for _ in sweep.path.glob("units/*/*")),
            files=sum(len(names) for _, _, names in os.walk(sweep.results_dir)),
            wrong=runs - done + len(twice(machines.answered)),
        )
