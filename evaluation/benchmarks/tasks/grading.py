"""One completion against the cases of its task. What is right is decided here, outside the sandbox."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from evaluation.failed_checks import both_bounded, bounded, shown
from results.failed_check import FailedCheck
from sandbox import Case, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from evaluation.benchmarks.tasks.file import CodingTask, TaskCase
    from evaluation.loop.grader import Grader
    from sandbox import Verdict

_MARK = "\x1eresult "  # before the result, apart from what the code itself prints
_CALL = f"""

import json as __json, sys as __sys
def __plain(value):  # the number that a number of NumPy's, a Fraction or a Decimal is
    kind = type(value)
    if kind.__module__ == "numpy" and getattr(value, "shape", None) == ():
        return value.item()
    if (kind.__module__, kind.__name__) in {{{{("fractions", "Fraction"), ("decimal", "Decimal")}}}}:
        return int(value) if value == int(value) else float(value)
    raise TypeError(f"Object of type {{{{kind.__name__}}}} is not JSON serializable")
__arguments = __json.loads(__sys.stdin.read())
__result = __json.dumps({{function}}(*__arguments), default=__plain)
__sys.__stdout__.write("\\n" + {_MARK!r} + __result + "\\n")
__sys.__stdout__.flush()
"""
_NOTHING = object()
_CLOSE = 1e-9


class Grade(NamedTuple):
    """failures: of each case, in order, why it failed, in a line; empty where it passed. seconds: all together.

    near_time_limit: of any case, as in `sandbox.Verdict`. failed_check: of the first case that failed; its line is one
    of the whole program.
    """

    failures: tuple[str, ...]
    seconds: float
    near_time_limit: bool = False
    failed_check: FailedCheck | None = None

    @property
    def passed(self) -> bool:
        """Whether all cases did."""
        return not any(self.failures)

    @property
    def why(self) -> str:
        """The first failure; empty where there is none."""
        first = next((number for number, why in enumerate(self.failures) if why), None)
        return "" if first is None else f"case {first + 1} of {len(self.failures)}: {self.failures[first]}"

    def weighted(self, task: CodingTask) -> float:
        """The share of the passed cases by their weights, 0 to 1."""
        total = math.fsum(case.weight for case in task.cases)
        got = (case.weight for case, why in zip(task.cases, self.failures, strict=True) if not why)
        return math.fsum(got) / total


def grade(code: str, task: CodingTask, grader: Grader) -> Grade:
    """Every case in a process of its own. Blocks. Raises SandboxError."""
    program = executed(code, task)
    cases = [
        Case(
            stdin=given(case, task),
            check=is_right(case, task),
            limits=None if case.timeout_s is None else grader.limits(cpu_s=case.timeout_s),
        )
        for case in task.cases
    ]
    verdicts = grader.run_cases(program, cases, stop_at_first_failure=False)
    failures = tuple(
        "" if verdict.kind is VerdictKind.PASSED else _why(verdict, case, is_call=task.function is not None)
        for verdict, case in zip(verdicts, task.cases, strict=True)
    )
    near = any(verdict.near_time_limit for verdict in verdicts)
    failed = next((number for number, why in enumerate(failures) if why), None)
    return Grade(
        failures,
        math.fsum(verdict.seconds for verdict in verdicts),
        near,
        _failed_check(verdicts[failed], task, failed) if failed is not None else None,
    )


def executed(code: str, task: CodingTask) -> str:
    """The script for a solution: it reads what is `given`, and prints what `is_right` looks at."""
    return code if task.function is None else code + _CALL.format(function=task.function)


def given(case: TaskCase, task: CodingTask) -> str:
    """Its standard input."""
    return str(case.input) if task.function is None else json.dumps(case.input)


def is_right(case: TaskCase, task: CodingTask) -> Callable[[bytes], bool]:
    """Whether what was printed is what the case expects."""
    # JSON's keys are texts, those of YAML any values.
    expected = case.expected_output if task.function is None else json.loads(json.dumps(case.expected_output))

    def check(stdout: bytes) -> bool:
        if task.function is None:
            return same_text(case.expected_output, stdout.decode("utf-8", "replace"))
        try:
            return same_value(expected, _result(stdout))
        except RecursionError:
            return False

    return check


def answer(stdout: bytes, task: CodingTask) -> Any:
    """What a case would expect that expects this output. Raises ValueError where there is no result in it."""
    if task.function is None:
        return stdout.decode("utf-8", "replace")
    result = _result(stdout)
    if result is _NOTHING:
        raise ValueError("no readable result")
    return result


def same_text(expected: str, printed: str) -> bool:
    """Line by line; spaces at a line's end and empty lines at the end of all don't count."""
    return _lines(expected) == _lines(printed)


def same_value(expected: Any, returned: Any) -> bool:
    """As JSON values: tuples are lists. Two whole numbers must be equal; else numbers may differ by one part in 10^9,
    and by 10^-9 near zero.
    """
    if isinstance(expected, bool) or isinstance(returned, bool):
        return expected is returned
    if isinstance(expected, int) and isinstance(returned, int):
        return expected == returned
    if isinstance(expected, (int, float)) and isinstance(returned, (int, float)):
        try:
            return math.isclose(expected, returned, rel_tol=_CLOSE, abs_tol=_CLOSE)
        except OverflowError:  # a whole number beyond every float
            return False
    if isinstance(expected, list) and isinstance(returned, list):
        return len(expected) == len(returned) and all(map(same_value, expected, returned))
    if isinstance(expected, dict) and isinstance(returned, dict):
        return expected.keys() == returned.keys() and all(
            same_value(value, returned[key]) for key, value in expected.items()
        )
    return bool(expected == returned)


def _result(stdout: bytes) -> Any:
    """The value that the function returned; a value like no other where nothing tells it."""
    _, mark, rest = stdout.decode("utf-8", "replace").rpartition(_MARK)
    try:
        return json.loads(rest.partition("\n")[0]) if mark else _NOTHING
    except (ValueError, RecursionError):
        return _NOTHING


def _why(verdict: Verdict, case: TaskCase, *, is_call: bool) -> str:
    if verdict.kind is not VerdictKind.WRONG_OUTPUT:
        return verdict.detail or str(verdict.kind)
    if not is_call:
        printed = verdict.stdout.decode("utf-8", "replace")
        return f"printed {_short(printed.rstrip())}, expected {_short(case.expected_output.rstrip())}"
    result = _result(verdict.stdout)
    returned = "no readable result" if result is _NOTHING else _short(result)
    return f"returned {returned}, expected {_short(case.expected_output)}"


def _failed_check(verdict: Verdict, task: CodingTask, number: int) -> FailedCheck:
    case = task.cases[number]
    found = FailedCheck(
        check=f"case {number + 1} of {len(task.cases)}",
        line=verdict.failed_check.line if verdict.failed_check is not None else None,
    )
    if task.function is None:
        found = replace(found, given=bounded(case.input))
    else:
        found = replace(found, call=bounded(f"{task.function}({', '.join(map(shown, case.input))})"))
    if verdict.kind is not VerdictKind.WRONG_OUTPUT:
        return found
    if task.function is None:
        got, expected = both_bounded(verdict.stdout.decode("utf-8", "replace"), case.expected_output)
    else:
        result = _result(verdict.stdout)
        got = "no readable result" if result is _NOTHING else shown(result)
        expected = shown(case.expected_output)
    return replace(found, got=got, relation="==", expected=expected)


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().split("\n")]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:60]}...{text[-15:]}"
