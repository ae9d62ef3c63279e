"""LiveCodeBench (Jain et al. 2024), code generation: problems of programming contests, by date, judged by tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evaluation.benchmarks.lcb.data import Test, read_tests
from evaluation.benchmarks.lcb.extraction import STOP, extract, official_extract
from evaluation.benchmarks.lcb.grading import grade, official_grade
from evaluation.benchmarks.lcb.prompts import get_prompt
from evaluation.data.data_set import DataSetTask
from evaluation.loop.grader import Execution
from evaluation.protocols import Judgement, Prompt, PromptStyle
from sandbox import SandboxError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evaluation.data.data_set import DataSet
    from evaluation.loop.grader import Grader, Known
    from evaluation.protocols import Sample
    from results.records import Completion

NAME = "lcb"
OFFICIAL = "official"  # the metric of a completion: whether the official runner passes it, 1 or 0
_MISSING = "ModuleNotFoundError"


class LcbTask(DataSetTask):
    """Implements `Task`."""

    def __init__(self, data: DataSet, *, style: PromptStyle, grader: Grader) -> None:
        super().__init__(NAME, data.samples, style)
        self.stop = (STOP,) if style is PromptStyle.COMPLETION else ()
        self.judge_workers = grader.workers
        self._grader = grader

    def get_prompt(self, sample: Sample) -> Prompt:
        """The official wording of that style."""
        return get_prompt(sample.data["problem"], self.style)

    def calculate_metrics(self, prediction: str, expected: Any, sample: Sample) -> Judgement:
        """Take the solution out of the answer and run the problem's tests on it, in our way and in the official one.

        Blocks; thread-safe. Raises UsageError where the tests can't be read.
        """
        del expected  # the tests are read from the data
        function = sample.data["function"]
        tests = read_tests(sample.data["place"])
        solution = extract(prediction, self.style, function)
        official_code = official_extract(prediction, self.style)
        metrics = {"tests": float(len(tests)), "tests_passed": 0.0, OFFICIAL: 0.0}
        seconds, near = 0.0, False
        passed, detail = False, "no code in the answer"
        try:
            if solution.code:
                ours = grade(solution.code, tests, function, self._grader)
                passed, detail, seconds = ours.passed, ours.why, ours.seconds
                metrics["tests_passed"], near = float(ours.passed_tests), ours.near_time_limit
            if official_code.strip():
                first = min(len(tests), int(metrics["tests_passed"]) + 1)
                theirs = official_grade(official_code, tests, function, self._grader, first=first)
                metrics[OFFICIAL] = float(theirs.passed)
                seconds += theirs.seconds
                why = theirs.why
                if _MISSING in why:  # there it may be installed
                    del metrics[OFFICIAL]
            else:
                why = "it finds no code"
        except SandboxError as error:
            return Judgement(passed=False, detail=f"sandbox: {error.message}", broken=True)
        if passed != bool(metrics.get(OFFICIAL, passed)):
            other = f"the official runner fails it: {why}" if passed else "the official runner passes it"
            detail = "; ".join(filter(None, (detail, other)))
        return Judgement(
            passed=passed,
            completion=solution.code,
            detail=detail,
            execute_s=seconds,
            metrics=metrics,
            ended=solution.ended,
            near_time_limit=near,
        )


def official_details(completions: Sequence[Completion]) -> dict[str, Any]:
    """What the official runner would have said: its score in percent, and each verdict that differs.

    unknown: how many solutions import what is not here and may be there; its score counts them as failed.
    """
    known = [c for c in completions if OFFICIAL in c.metrics or "tests" not in c.metrics]
    unknown = len(completions) - len(known)
    passed = [c for c in known if c.metrics.get(OFFICIAL)]
    warning = (
        f"{unknown} of {len(completions)} solutions failed because they import a package that the sandbox does not "
        "have: only Python's standard library is there, while the official runner's environment has numpy as well"
    )
    return {
        "official": {
            "score": 100.0 * len(passed) / len(completions) if completions else None,
            "unknown": unknown,
            "differences": [
                {"task_id": c.task_id, "index": c.index, "passed": c.passed, "why": c.detail}
                for c in known
                if c.passed != bool(c.metrics.get(OFFICIAL))
            ],
        },
        "warnings": [warning] if unknown else [],
    }


_SUM = "a, b = map(int, input().split())\nprint(a + b)\n"
_SUM_TESTS = [Test("1 2\n", "3\n", "stdin"), Test("2 3\n", "5.0\n", "stdin")]
_TWICE = """\
class Solution:
    def twice(self, values: List[int]) -> List[int]:
        return [2 * value for value in values]
"""
_TWICE_TESTS = [Test("[1, 2]", "[2, 4]", "functional"), Test("[]", "[]", "functional")]


def known_solutions() -> tuple[list[Known], list[Known]]:
    """Such that a right grader passes, in both ways, and such that it fails: for its self-test."""
    good = [_known(_SUM, _SUM_TESTS), _known(_TWICE, _TWICE_TESTS, "twice")]
    bad = [
        _known(_SUM.replace("+", "-"), _SUM_TESTS),
        _known(_SUM + "raise ValueError\n", _SUM_TESTS),
        _known("print(3)\n", _SUM_TESTS),
        _known("import os\nprint(3, flush=True)\nos._exit(0)\n", _SUM_TESTS),
        _known(_TWICE.replace("2 *", "3 *"), _TWICE_TESTS, "twice"),
        _known(_TWICE.replace("twice", "thrice"), _TWICE_TESTS, "twice"),
    ]
    return good, bad


def _known(code: str, tests: Sequence[Test], function: str | None = None) -> Known:
    def judged(grader: Grader) -> Execution:
        ours = grade(code, tests, function, grader)
        theirs = official_grade(code, tests, function, grader, first=len(tests))
        agree = ours.passed == theirs.passed
        detail = (
            ours.why or theirs.why if agree else f"{ours.why or 'right'}, officially {theirs.why or 'right'}"
        )
        return Execution(passed=ours.passed, detail=detail, seconds=ours.seconds, broken=not agree)

    return judged
