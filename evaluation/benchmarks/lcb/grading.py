"""One solution against the tests of its problem: the verdict that counts, and the official runner's beside it."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from evaluation.benchmarks.lcb.checker import decoded, difference, result_difference
from evaluation.benchmarks.lcb.programs import (
    function_program,
    official_input,
    official_program,
    stdin_program,
)
from evaluation.failed_checks import both_bounded, bounded, shown
from results.failed_check import FailedCheck
from sandbox import Case, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evaluation.benchmarks.lcb.data import Test
    from evaluation.loop.grader import Grader
    from sandbox import Verdict

_OUTPUT_BYTES = 4 << 20  # more than what is expected may be printed, but not without end
_OFFICIAL_EXTRA_S = 5.0  # the official runner's limit of a whole solution: (timeout + 1) * tests + 5


class Grade(NamedTuple):
    """One verdict on a solution. passed_tests: those before the first that failed. why: empty when all passed.

    seconds: that the execution took. near_time_limit: of any test, as in `sandbox.Verdict`. failed_check: of the test
    that failed.
    """

    passed: bool
    passed_tests: int
    why: str = ""
    seconds: float = 0.0
    near_time_limit: bool = False
    failed_check: FailedCheck | None = None


def grade(code: str, tests: Sequence[Test], function: str | None, grader: Grader) -> Grade:
    """Each test in a process of its own, until one fails. Blocks. Raises SandboxError."""
    program = stdin_program(code) if function is None else function_program(code, function)
    checks = [_Check(test, function is not None) for test in tests]
    cases = [
        Case(test.input, check, grader.limits(output_bytes=_OUTPUT_BYTES + 4 * len(test.output)))
        for test, check in zip(tests, checks, strict=True)
    ]
    verdicts = grader.run_cases(program, cases)
    seconds = sum(verdict.seconds for verdict in verdicts)
    near = any(verdict.near_time_limit for verdict in verdicts)
    last = verdicts[-1]
    if last.kind is VerdictKind.PASSED:
        return Grade(passed=True, passed_tests=len(verdicts), seconds=seconds, near_time_limit=near)
    number = len(verdicts)
    why = checks[number - 1].why if last.kind is VerdictKind.WRONG_OUTPUT else ""
    return Grade(
        passed=False,
        passed_tests=number - 1,
        why=_at(number, len(tests), why or last.detail or str(last.kind)),
        seconds=seconds,
        near_time_limit=near,
        failed_check=_failed_check(last, number, tests, function),
    )


def official_grade(
    code: str, tests: Sequence[Test], function: str | None, grader: Grader, *, first: int
) -> Grade:
    """What the official runner says of it, computed as far as it depends on the solution. Blocks.

    first: how many tests are tried first; the rest only where those pass. Raises SandboxError.
    """
    found = _official(code, tests[:first], len(tests), function, grader)
    if found.passed and first < len(tests):
        again = _official(code, tests, len(tests), function, grader)
        return again._replace(seconds=found.seconds + again.seconds)
    return found


def _official(code: str, tests: Sequence[Test], total: int, function: str | None, grader: Grader) -> Grade:
    timeout_s = grader.timeout_s
    limits = grader.limits(
        cpu_s=(timeout_s + 1) * len(tests) + _OFFICIAL_EXTRA_S,
        overtime=1.0,
        idle_s=timeout_s,
        output_bytes=_OUTPUT_BYTES + 8 * sum(len(test.output) for test in tests),
    )
    program = official_program(code, function, timeout_s=timeout_s)
    given = official_input([test.input for test in tests])
    (verdict,) = grader.run_cases(program, [Case(given, limits=limits)])
    told = verdict.stdout.decode("utf-8", "replace").splitlines()
    passed = 0
    for line, test in zip(told, tests, strict=False):
        why = _official_difference(line, test)
        if why:
            return Grade(False, passed, _at(passed + 1, total, why), verdict.seconds)
        passed += 1
    if passed == len(tests):
        return Grade(True, passed, seconds=verdict.seconds)
    ended = verdict.detail or "it ended the evaluation"
    return Grade(False, passed, _at(passed + 1, total, ended), verdict.seconds)


def _official_difference(line: str, test: Test) -> str:
    try:
        kind, told = json.loads(line)
    except (ValueError, TypeError):
        return "its result could not be read"
    if not isinstance(told, str):
        return "its result could not be read"
    match kind:
        case "printed":
            return difference(told, test.output)
        case "returned":
            return result_difference(told, test.output)
    return told or "failed"


class _Check:
    """Of one test: called with all that was printed; remembers why it was wrong."""

    def __init__(self, test: Test, functional: bool) -> None:
        self._compare = result_difference if functional else difference
        self._expected = test.output
        self.why = ""

    def __call__(self, printed: bytes) -> bool:
        self.why = self._compare(printed.decode("utf-8", "replace"), self._expected)
        return not self.why


def _failed_check(verdict: Verdict, number: int, tests: Sequence[Test], function: str | None) -> FailedCheck:
    """Of the test of that number, from 1 on."""
    test = tests[number - 1]
    found = FailedCheck(
        check=f"test {number} of {len(tests)}",
        line=verdict.failed_check.line if verdict.failed_check is not None else None,
    )
    if function is None:
        found = replace(found, given=bounded(test.input))
    else:
        found = replace(found, call=bounded(f"{function}({', '.join(test.input.splitlines())})"))
    if verdict.kind is not VerdictKind.WRONG_OUTPUT:
        return found
    printed = verdict.stdout.decode("utf-8", "replace")
    if function is not None:
        with contextlib.suppress(ValueError, TypeError, KeyError, IndexError, RecursionError):
            printed = shown(decoded(printed))
    got, expected = both_bounded(printed.strip(), test.output.strip())
    return replace(found, got=got, relation="==", expected=expected)


def _at(number: int, total: int, why: str) -> str:
    return f"test {number} of {total}: {why}"
