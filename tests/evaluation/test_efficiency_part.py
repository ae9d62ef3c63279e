"""Efficiency: what a solution takes against its reference, whatever else the machine does, and whatever it tries."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from evaluation.benchmarks.evalplus.data import read_problems
from evaluation.benchmarks.tasks.file import CodingTask, Scale, TaskCase
from evaluation.scoring.alternating import (
    Bare,
    Cost,
    Execution,
    NotMeasured,
    Trial,
    alternate,
    execute,
    of_little,
    of_rounds,
)
from evaluation.scoring.contract import Means, Solution
from evaluation.scoring.efficiency import Efficiency, score
from evaluation.scoring.samples import of_evalplus, of_human_eval, of_mbpp, of_task
from evaluation.scoring.trials import lenient, trials
from results.records import Completion, Outcome
from sandbox import Limits, Program, UnitTests, open_sandbox
from tests.evaluation.evalplus_problems import HUMAN_EVAL, write_rows

pytestmark = pytest.mark.slow

LIMITS = Limits(cpu_s=20)
MEANS = Means(level="bubblewrap", timeout_s=20, memory_bytes=2 << 30, workers=1)
WORK = "def work(x):\n    total = 0\n    for each in range({loops}):\n        total += each\n    return x\n"
FILL = "def work(x):\n    values = [0] * {values}\n    return x\n"


@pytest.fixture(scope="module")
def box():
    with open_sandbox("bubblewrap", 1) as found:
        yield found


def trial(reference: str, solution: str) -> Trial:
    def of(code: str, tests: str = "assert work(3) == 3\n") -> tuple[Execution, ...]:
        return (Execution(Program(code=code, tests=UnitTests(tests, "work")), LIMITS),)

    return Trial(of("", ""), of(reference), of(solution))


def task(reference: str, **more) -> CodingTask:
    cases = (TaskCase(input=[3], expected_output=3),)
    fields = {"function": "work", "cases": cases, "reference_solution": reference, **more}
    return CodingTask(id="one", difficulty="easy", prompt="", metadata={}, **fields)


def measured(sample, *codes):
    solutions = [
        Solution(
            sample=sample,
            completion=Completion(
                task_id=sample.task_id, index=number, completion=code, outcome=Outcome.PASSED, passed=True
            ),
        )
        for number, code in enumerate(codes)
    ]

    async def all_of_them():
        return [each async for each in Efficiency(MEANS).measure(solutions)]

    found = {one.completion.index: what for one, what in asyncio.run(all_of_them())}
    return [found[number] for number in range(len(codes))]


def test_the_same_program_twice_and_one_with_twice_the_work(box):
    """Wide bounds: any machine, however busy. How exact it is: `python -m tests.benchmarks --only efficiency`."""
    same = alternate(box, trial(WORK.format(loops=300_000), WORK.format(loops=300_000)), budget_s=300)
    assert 0.7 < same.cpu.value < 1.4
    assert same.cpu.low <= same.cpu.value <= same.cpu.high
    twice = alternate(box, trial(WORK.format(loops=300_000), WORK.format(loops=600_000)), budget_s=300)
    assert 1.4 < twice.cpu.value < 2.9
    assert 0.9 < twice.memory.value < 1.1


def test_twice_the_memory(box):
    found = alternate(box, trial(FILL.format(values=2_000_000), FILL.format(values=4_000_000)), budget_s=300)
    assert 1.8 < found.memory.value < 2.2


def test_differences_that_nobody_feels_are_none(box):
    """Under a millisecond and a mebibyte: no shared machine tells them apart."""
    found = alternate(box, trial("def work(x):\n    return x\n", WORK.format(loops=100)), budget_s=300)
    assert found.memory.value == 1.0
    assert found.cpu.value < 1.5


def test_few_rounds_are_enough_only_where_all_stay_below_the_floor():
    """One that takes more in a single round gets them all, and an empty program that was disturbed hides nothing."""
    empty, small, more = Cost(0.002, 10 << 20), Cost(0.0028, 10 << 20), Cost(0.0035, 10 << 20)
    found = of_little([(empty, small, small)] * 3)
    assert (found.cpu.value, found.memory.value, found.cpu.rounds, found.is_little) == (1.0, 1.0, 3, True)
    assert of_little([(empty, small, small)] * 2 + [(empty, small, more)]) is None
    assert of_little([(empty, more, small)] * 3) is None
    assert of_little([(empty, small, small._replace(peak_bytes=12 << 20))] * 3) is None
    disturbed = empty._replace(cpu_s=0.03)
    assert of_little([(empty, small, small), (disturbed, small, more), (disturbed, small, small)]) is None


def test_what_takes_more_than_the_floor_is_never_told_at_once(box):
    """Whichever of the two it is; and a solution that is wrong has no ratio here either."""
    bare, small = Bare(), "def work(x):\n    return x\n"
    for large in (WORK.format(loops=300_000), FILL.format(values=2_000_000)):
        for pair in (trial(small, large), trial(large, small)):
            assert bare.of_little(box, pair.reference, pair.solution) is None
    # On a machine that is very busy an execution may take a millisecond more: it need not tell the first time.
    pair = trial(small, small)
    found = (bare.of_little(box, pair.reference, pair.solution) for _ in range(200))
    assert next(filter(None, found)).is_little
    wrong = trial(small, "def work(x):\n    return 0\n")
    with pytest.raises(NotMeasured, match="the solution fails"):
        for _ in range(200):
            bare.of_little(box, wrong.reference, wrong.solution)


def test_a_program_that_is_wrong_in_a_round_is_not_measured(box):
    """It may know that it is measured, since it is sealed; and must be right all the same."""
    knows = "import resource\nsealed = resource.getrlimit(resource.RLIMIT_FSIZE)[0] == 0\n"
    with pytest.raises(NotMeasured, match="the solution fails where it is measured: wrong_answer"):
        alternate(box, trial(WORK.format(loops=9), f"{knows}def work(x):\n    return 0 if sealed else x\n"))
    children = "import os, signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
    with pytest.raises(NotMeasured, match="Operation not permitted"):
        alternate(box, trial(WORK.format(loops=9), f"{children}def work(x):\n    os.fork()\n    return x\n"))
    with pytest.raises(NotMeasured, match="the reference fails"):
        alternate(box, trial("def work(x):\n    return 0\n", WORK.format(loops=9)))


def test_nothing_is_kept_from_one_execution_for_the_next(box):
    """A result that is computed once and kept would make all further rounds free."""
    keeps = """
import builtins, os, sys, tempfile
def work(x):
    assert not hasattr(builtins, "kept") and "kept" not in sys.modules and "KEPT" not in os.environ
    assert os.listdir() == []
    builtins.kept = sys.modules["kept"] = os.environ["KEPT"] = "kept"
    return x
"""
    kept = trial(keeps, keeps)
    assert [execute(box, each).kind for each in kept.solution * 3] == ["passed"] * 3


def test_out_of_budget_nothing_is_said(box):
    with pytest.raises(NotMeasured, match="takes too long to be executed 7 times within 0 s"):
        alternate(box, trial(WORK.format(loops=9), WORK.format(loops=9)), budget_s=0)


def test_score_is_of_time_and_memory_alike():
    def found(cpu_s: float, peak_bytes: int):
        empty, reference = Cost(0.002, 10 << 20), Cost(0.012, 14 << 20)
        return of_rounds([(empty, reference, Cost(cpu_s, peak_bytes))] * 7)

    assert score(found(0.012, 14 << 20)) == pytest.approx(100)
    assert score(found(0.022, 14 << 20)) == pytest.approx(75)
    assert score(found(0.022, 18 << 20)) == pytest.approx(50)
    assert score(found(0.003, 11 << 20)) == pytest.approx(100), "better than the reference is as good"
    assert score(found(0.102, 50 << 20)) == pytest.approx(10)


def test_tests_go_on_for_an_empty_program(box):
    """So that it is called as often as the solution, and what calls cost is no part of the ratio."""
    code = lenient(
        "def check(work):\n    assert work(1) == 2, 'no'\n    for each in range(2):\n        got = work(each) + 1\n"
        "        if got < 9:\n            raise ValueError(got)\n    assert work(3)\ncheck(work)"
    )
    calls = "calls = []\ndef work(*_):\n    calls.append(1)\nexec(CODE)\nassert len(calls) == 4"
    assert box.run(Program(code=f"CODE = {code!r}\n{calls}", script=True), LIMITS).kind == "passed"


def test_of_a_task_with_a_scale_the_large_input_counts():
    """On the cases all are alike; quadratic work shows on a thousand values."""
    scale = Scale(size=1500, code="def scaled_input(size):\n    return [list(range(size))]\n")
    cases = (TaskCase(input=[[1, 2]], expected_output=[1, 2]),)
    fast = "def work(values):\n    return list(dict.fromkeys(values))\n"
    slow = "def work(values):\n    return [value for at, value in enumerate(values) if value not in values[:at]]\n"
    sample = of_task(task(fast, cases=cases, scale=scale))
    good, bad, wrong = measured(sample, fast, slow, "def work(values):\n    return values[:5]\n")
    assert good.value > 80
    assert good.figures["scaled"] is True
    assert bad.value < 75
    assert bad.figures["cpu_ratio"] > 3
    assert wrong.value is None
    assert "printed something else" in wrong.why_not


def test_without_a_reference_it_is_not_known():
    (found,) = measured(of_task(task("")), "def work(x):\n    return x\n")
    assert (found.value, found.why_not) == (None, "the task has no reference solution")


def test_programs_of_other_benchmarks(box):
    """HumanEval's prompt stands before a completion, MBPP's has none."""
    problem = {
        "prompt": 'def work(x):\n    """The same."""\n',
        "canonical_solution": "    return x\n",
        "entry_point": "work",
        "test": "def check(candidate):\n    assert candidate(3) == 3",
    }
    mbpp = {
        "code": "def work(x):\n    return math.floor(x)\n",
        "tests": ["assert work(3) == 3"],
        "imports": ["import math"],  # as in the sanitized set, whose references need it
        "setup": "",
        "entry_point": "work",
    }
    for sample in (of_human_eval("HumanEval/0", problem), of_mbpp("mbpp/11", mbpp)):
        made = trials(sample, box, LIMITS)
        own = "from __future__ import annotations\ndef work(y):\n    return y\n"
        found = alternate(box, made.of(own), budget_s=300)
        assert found.memory.value == 1.0
        assert made.empty[0].program.tests.code, "it is called"


def test_what_may_be_the_machines_fault_is_measured_again(monkeypatch):
    """Once it has time: nothing is known of a solution only because the machine was busy."""
    sample = of_task(task(WORK.format(loops=300_000)))
    monkeypatch.setattr("evaluation.scoring.efficiency.alternate", partial(alternate, budget_s=0))
    (late,) = measured(sample, WORK.format(loops=300_000))
    assert (late.value, late.lasting) == (None, False)
    (failed,) = measured(sample, "import os\nos.fork()\n" + WORK.format(loops=10))
    assert (failed.value, failed.lasting) == (None, True)


def test_programs_of_evalplus_are_judged_while_they_are_measured(box, tmp_path, monkeypatch):
    """On both sets of inputs, against what the reference gives for them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = write_rows(tmp_path / "HumanEvalPlus.jsonl", HUMAN_EVAL[:1])
    (problem,) = read_problems(path, "human_eval_plus").problems
    sample = of_evalplus("human_eval_plus", problem)
    made = trials(sample, box, LIMITS)
    right = made.of(sample.reference)
    assert [execute(box, each).kind for each in (*right.empty, *right.solution)] == ["passed"] * 4
    assert [bool(each.program.tests.code) for each in made.empty] == [True, True]
    with pytest.raises(NotMeasured, match="the solution fails where it is measured: wrong_answer"):
        alternate(box, made.of(f"def {problem.entry_point}(*_):\n    return 'wrong'\n"))
