"""Execute programs in the sandbox, and prove first that the grader grades right on this machine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from msgspec.structs import replace

from evaluation.failed_checks import located
from evaluation.protocols import Judgement
from results.errors import ScriptError
from sandbox import (
    MEMORY_BYTES,
    NEAR,
    Limits,
    Program,
    SandboxError,
    VerdictKind,
    lowered,
    open_sandbox,
    run_cases,
    suspects,
)
from sandbox.opening import OpeningSandbox, usual_workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from evaluation.answers.code import Extracted
    from results.failed_check import FailedCheck
    from sandbox import Case, Sandbox, Verdict


class Execution(NamedTuple):
    """passed; why not, in a line; seconds it took; broken: the sandbox failed, not the program.

    near_time_limit, failed_check: as in `sandbox.Verdict`.
    """

    passed: bool
    detail: str
    seconds: float | None
    broken: bool = False
    near_time_limit: bool = False
    failed_check: FailedCheck | None = None

    def judgement(self, extracted: Extracted, before: str = "") -> Judgement:
        """Of the answer that the code was taken out of. before: what stood before that code in the program."""
        return Judgement(
            passed=self.passed,
            completion=extracted.code,
            detail=self.detail,
            execute_s=self.seconds,
            ended=extracted.ended,
            broken=self.broken,
            near_time_limit=self.near_time_limit,
            failed_check=located(self.failed_check, extracted.code, before),
        )


# What `Grader.execute` takes; or how a benchmark itself judges something with a grader.
Known: TypeAlias = "Program | Callable[[Grader], Execution]"


class Grader:
    """One open sandbox with as many workers as the machine has processors. Thread-safe.

    timeout_s: processor time that a program may take, so that the verdict doesn't depend on the machine's
    load. memory_bytes: that it may use. opening: a sandbox of that level that opens already.
    """

    def __init__(
        self,
        *,
        level: str,
        timeout_s: float,
        memory_bytes: int = MEMORY_BYTES,
        opening: OpeningSandbox | None = None,
    ) -> None:
        self.workers = usual_workers()
        self._level = level
        self._opening = opening
        self._limits = Limits(cpu_s=timeout_s, memory_bytes=memory_bytes, overtime=NEAR)
        self._box: Sandbox | None = None

    def open(self) -> None:
        """Raises BenchError where there is no sandbox."""
        opening = self._opening
        self._box = opening.wait() if opening else open_sandbox(level=self._level, workers=self.workers)

    def close(self) -> None:
        """End everything that still executes. Can be called repeatedly."""
        if self._box is not None:
            self._box.close()

    def execute(self, program: Program, *, cpu_s: float | None = None) -> Execution:
        """Run one program to its verdict. Blocks. cpu_s: processor time that it may take, instead of the usual."""
        limits = self._limits if cpu_s is None else self.limits(cpu_s=cpu_s)
        try:
            verdict = self._opened().run(program, limits)
        except SandboxError as error:
            return Execution(passed=False, detail=f"sandbox: {error.message}", seconds=None, broken=True)
        return Execution(
            verdict.kind is VerdictKind.PASSED,
            verdict.detail,
            verdict.seconds,
            near_time_limit=verdict.near_time_limit,
            failed_check=verdict.failed_check,
        )

    def run(self, program: Program, limits: Limits) -> Verdict:
        """As `Sandbox.run`. Blocks. Raises SandboxError."""
        return self._opened().run(program, limits)

    def run_cases(
        self, code: str, cases: Iterable[Case], *, stop_at_first_failure: bool = True
    ) -> list[Verdict]:
        """A verdict for each case, as `sandbox.run_cases`. Blocks. Raises SandboxError."""
        return run_cases(
            self._opened(), code, cases, self._limits, stop_at_first_failure=stop_at_first_failure
        )

    @property
    def timeout_s(self) -> float:
        """Processor time that a program may take."""
        return self._limits.cpu_s

    def limits(self, **changes: Any) -> Limits:
        """Those of every program, with some changed: for single cases."""
        return replace(self._limits, **changes)

    def describe(self) -> dict[str, Any]:
        """The sandbox in use, for the record; {} where nothing had to be executed."""
        if self._box is None:
            return {}
        limits = {"timeout_s": self._limits.cpu_s, "memory_bytes": self._limits.memory_bytes}
        return {**self._box.describe(), **limits}

    @property
    def warnings(self) -> list[str]:
        """What must be said on every run with this sandbox."""
        said = self.describe()
        found = [said["warning"]] if said.get("warning") else []
        if low := lowered(self._limits, said.get("hard_limits", {})):
            found.append(
                f"hard limits of the shell or batch system are lower than those of the sandbox: {', '.join(low)}"
            )
        return found

    def _opened(self) -> Sandbox:
        if self._box is None:
            raise RuntimeError("open() comes first")
        return self._box

    def self_test(self, good: Sequence[Known], bad: Sequence[Known]) -> None:
        """Grade what is known, all at once as in the run. Raises ScriptError when one verdict is wrong."""

        def graded(known: Known) -> Execution:
            try:
                return self.execute(known) if isinstance(known, Program) else known(self)
            except SandboxError as error:
                return Execution(passed=False, detail=f"sandbox: {error.message}", seconds=None, broken=True)

        with ThreadPoolExecutor(self.workers) as pool:
            verdicts = list(pool.map(graded, [*good, *bad]))
        wrong = [
            f"a program that is {'right' if number < len(good) else 'wrong'} was graded {execution}"
            for number, execution in enumerate(verdicts)
            if execution.passed != (number < len(good)) or execution.broken
        ]
        if wrong:
            raise ScriptError(
                f"the grader failed its self-test, so nothing was scored: {len(wrong)} of {len(verdicts)} verdicts are "
                f"wrong; {wrong[0]}",
                hint=suspects(self._limits)
                or "the sandbox does not work correctly on this machine; see `doctor`",
            )
