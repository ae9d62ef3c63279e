"""A sweep over many machines: what the coordinator costs, in a simulation of 10,000 runs over 200 nodes that die at
random; and what an engine costs, on two real hosts.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from results.records import RunStatus
from results.store.attempts import STARTED, Attempts
from results.store.run_log import RUN_LOG_NAME, RunLog
from results.store.sweep_folder import SweepFolder, all_sweeps
from tests.benchmarks.rows import Row
from tests.command_line import PROGRAM
from tests.engines.driving import Said, driven_manifest
from tests.engines.fake_engine import FakeEngine, FakeMachines, Faults, coordinator, planned_sweep, twice
from tests.engines.killed_machines import NODES as NAMES
from tests.engines.killed_machines import machines_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.engines.killed_machines import Machines

RUNS, NODES = 10_000, 200
FEW = 1_000
A_UNIT = 4  # runs
FAULTS = Faults(dies=0.05, refuses=0.02, fails=0.01, slow=0.1, zombie=0.3)
OVERHEAD_S = {"ssh": 1.5, "slurm": 1.0, "ray": 1.0}  # a unit, with a place free
REPEATS = 5
UNITS, ANSWERS, DELAY_S = 6, 20, 0.3  # of the sweep on two nodes


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
    for engine in OVERHEAD_S:
        yield from _on(engine)


def _on(engine: str) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="bench-engines-", ignore_cleanup_errors=True) as created:
        folder, name = Path(created), f"{engine}: overhead a unit"
        try:
            with machines_of(engine, folder) as machines:
                each = [_overhead_s(folder / f"one{number}", machines) for number in range(REPEATS)]
                note = f"longer than a unit of a local sweep; {min(each):.2f} to {max(each):.2f} s"
                yield Row(name, statistics.median(each), "s", OVERHEAD_S[engine], note)
            if engine == "ssh":
                with machines_of(engine, folder / "limited", a_core_each=True) as machines:
                    yield _two_nodes(folder, machines)
        except pytest.skip.Exception as why:
            yield Row(name, None, "s", None, str(why))


def _overhead_s(folder: Path, machines: Machines) -> float:
    """How much longer a unit with one run of one answer takes than one of a sweep on this machine does."""
    folder.mkdir()
    _sweep(folder / "there", machines.settings, machines.environment, models=1, limit=1)
    (sweep,) = all_sweeps(folder / "there" / "results")
    at = {entry.what: dt.datetime.fromisoformat(entry.at) for entry in Attempts(sweep.path).entries()}
    _sweep(folder / "here", None, machines.environment, models=3, limit=1)
    ends = sorted(path.stat().st_mtime for path in (folder / "here" / "results").glob("2*/run.json"))
    return (at["done"] - at[STARTED]).total_seconds() - (ends[-1] - ends[0]) / (len(ends) - 1)


def _two_nodes(folder: Path, machines: Machines) -> Row:
    """Each node is limited to a core of its own. The runs wait for their server most of the time, since the sweep's own
    program, which doesn't run on a node, has the same cores.
    """
    walls = []
    for number, hosts in enumerate((NAMES[0], ",".join(NAMES))):
        settings = {**machines.settings, "hosts": hosts}
        facts = {"models": UNITS, "limit": ANSWERS, "delay_s": DELAY_S}
        results = _sweep(folder / f"nodes{number}", settings, machines.environment, **facts)
        (sweep,) = all_sweeps(results)
        times = [dt.datetime.fromisoformat(entry.at) for entry in Attempts(sweep.path).entries()]
        walls.append((max(times) - min(times)).total_seconds())
    one, two = walls
    what = f"{UNITS} units of {ANSWERS} answers, {two:.1f} s on two nodes of a core each, {one:.1f} s on one"
    return Row("ssh: two nodes over half of one", two / (one / 2), "x", 1.10, what)


def _sweep(
    folder: Path, settings: Mapping[str, object] | None, environment: Mapping[str, str], **facts: Any
) -> Path:
    """A sweep by the command. Returns its results folder."""
    folder.mkdir()
    engine = {} if settings is None else {"engine": settings}
    (folder / "sweep.json").write_text(json.dumps({**driven_manifest(folder, **facts), **engine}))
    results = folder / "results"
    subprocess.run(
        [PROGRAM, "sweep", str(folder / "sweep.json"), "--results-dir", str(results)],
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
        timeout=600,
    )
    return results


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
