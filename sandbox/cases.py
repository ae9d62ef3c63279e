"""One program against many inputs: what LiveCodeBench-like tasks ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from sandbox.contract import Limits, Program, Sandbox, Verdict, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Case(msgspec.Struct, frozen=True):
    """One input of a program.

    check: whether all that it printed on stdout is right. It is called here, outside the sandbox. None: to end
    without an error is enough.
    limits: of this case alone, instead of those for all.
    """

    stdin: str = ""
    check: Callable[[bytes], bool] | None = None
    limits: Limits | None = None


def run_cases(
    box: Sandbox, code: str, cases: Iterable[Case], limits: Limits, *, stop_at_first_failure: bool = True
) -> list[Verdict]:
    """A verdict for each case, in order; with stop_at_first_failure none for those after the first that failed.

    Each case is a process of its own, and finds no file, process or object of the one before. The code is compiled in
    each: for a program of forty lines that is a tenth of a millisecond. All are forks of one zygote, whose freed memory
    may still hold the texts of earlier programs.
    Raises SandboxError, as `Sandbox.run`.
    """
    verdicts: list[Verdict] = []
    for case in cases:
        verdict = box.run(Program(code=code, stdin=case.stdin, script=True), case.limits or limits)
        if verdict.kind is VerdictKind.PASSED and case.check is not None and not case.check(verdict.stdout):
            verdict = replace(verdict, kind=VerdictKind.WRONG_OUTPUT, detail="printed something else")
        verdicts.append(verdict)
        if stop_at_first_failure and verdict.kind is not VerdictKind.PASSED:
            break
    return verdicts
