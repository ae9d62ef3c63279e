"""LiveCodeBench (Jain et al. 2024), code generation: problems of programming contests, by date, judged by tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evaluation.benchmarks.lcb.data import Test, read_tests
from evaluation.benchmarks.lcb.extraction import STOP, extract, official_extract
from evaluation.benchmarks.lcb.grading import grade, official_grade
from evaluation.benchmarks.lcb.prompts import get_prompt
from evaluation.data.data_set import DataSetTask
from evaluation.failed_checks import located
from evaluation.loop.grader import Execution
from evaluation.protocols import Judgement, Prompt, PromptStyle
from sandbox import SandboxError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evaluation.data.data_set import DataSet
    from evaluation.loop.grader import Grader, Known
    from evaluation.protocols import Sample
    from results.failed_check import FailedCheck
    from results.records import Completion

NAME = "lcb"
# Metrics of a completion, 1 or 0: whether the official runner passes it; whether the code passes that we find in the
# answer, where that is not what LiveCodeBench takes.
OFFICIAL, EXTRACTED = "official", "extracted"
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
        """Run the problem's tests on what LiveCodeBench takes out of the answer: that is the verdict.

        Beside it stands what the official runner says of the same code, and, where our way of finding code in an answer
        finds something else, the verdict on that. Blocks; thread-safe. Raises UsageError where the tests can't be read.
        """
        del expected  # the tests are read from the data
        function = sample.data["function"]
        tests = read_tests(sample.data["place"])
        code = official_extract(prediction, self.style)
        other = extract(prediction, self.style, function)
        metrics = {"tests": float(len(tests)), "tests_passed": 0.0, OFFICIAL: 0.0}
        seconds, near, passed, notes = 0.0, False, False, []
        failed: FailedCheck | None = None
        try:
            if code.strip():
                ours = grade(code, tests, function, self._grader)
                passed, seconds, near = ours.passed, ours.seconds, ours.near_time_limit
                metrics["tests_passed"] = float(ours.passed_tests)
                first = min(len(tests), ours.passed_tests + 1)
                theirs = official_grade(code, tests, function, self._grader, first=first)
                metrics[OFFICIAL] = float(theirs.passed)
                seconds += theirs.seconds
                notes.append(ours.why)
                failed = located(ours.failed_check, code)
                if _MISSING in theirs.why:  # there it may be installed
                    del metrics[OFFICIAL]
                elif passed != theirs.passed:
                    notes.append(
                        f"the official runner {'fails' if passed else 'passes'} it"
                        + f": {theirs.why}" * passed
                    )
            else:
                notes.append("no code where LiveCodeBench looks for it")
            if other.code.strip() != code.strip():
                found = grade(other.code, tests, function, self._grader) if other.code else None
                metrics[EXTRACTED] = float(found is not None and found.passed)
                seconds += found.seconds if found is not None else 0.0
                if passed != bool(metrics[EXTRACTED]):
                    notes.append(f"the code that we find {'fails' if passed else 'passes'}")
        except SandboxError as error:
            return Judgement(passed=False, detail=f"sandbox: {error.message}", broken=True)
        return Judgement(
            passed=passed,
            completion=code,
            detail="; ".join(filter(None, notes)),
            execute_s=seconds,
            metrics=metrics,
            ended=other.ended,
            near_time_limit=near,
            failed_check=failed,
        )


def other_verdicts(completions: Sequence[Completion]) -> dict[str, Any]:
    """Beside the score: what the official runner would have said, and how it is with our way of finding code.

    Each its score in percent, and each verdict that differs. unknown: how many solutions import what is not here and
    may be in the official runner's environment; its score counts them as failed.
    """
    known = [c for c in completions if OFFICIAL in c.metrics or "tests" not in c.metrics]
    unknown = len(completions) - len(known)
    warning = (
        f"{unknown} of {len(completions)} solutions failed because they import a package that the sandbox does not "
        "have, while the official runner's environment may have it"
    )
    return {
        "official": {
            **_beside(completions, known, lambda c: bool(c.metrics.get(OFFICIAL))),
            "unknown": unknown,
        },
        "extracted": _beside(completions, completions, lambda c: bool(c.metrics.get(EXTRACTED, c.passed))),
        "warnings": [warning] if unknown else [],
    }


def _beside(
    completions: Sequence[Completion], known: Sequence[Completion], passes: Callable[[Completion], bool]
) -> dict[str, Any]:
    return {
        "score": 100.0 * sum(map(passes, known)) / len(completions) if completions else None,
        "differences": [
            {"task_id": c.task_id, "index": c.index, "passed": c.passed, "why": c.detail}
            for c in known
            if c.passed != passes(c)
        ],
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
