"""What ruff and radon say of a program: by child processes, which may die of it."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from evaluation.scoring.quality.lint import LINT_RULES
from results.errors import UsageError
from results.extras import install_command

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

_END_S = 2.0
ROOT = Path(__file__).resolve().parents[3]


class ProgramFacts(NamedTuple):
    """findings: ruff's, by rule. complexity: cyclomatic, of the whole program; most_complex: of one function.
    maintainability: radon's index, 0 to 100. statements: without docstrings.
    """

    findings: dict[str, int]
    complexity: int
    most_complex: int
    maintainability: float
    statements: int


# How a reader ends that met a program it can't parse; any other end is the machine's.
_OF_THE_PROGRAM = {-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGXCPU}


class NotKnown(Exception):
    """Why the facts of a program are not known, in a few words. lasting: False where it may be the machine's fault."""

    def __init__(self, why: str, *, lasting: bool = True) -> None:
        super().__init__(why)
        self.lasting = lasting


def require_tools() -> None:
    """Raise UsageError where ruff or radon isn't installed or does not work."""
    tools()
    try:
        with Reader() as reader:
            reader.facts("", "x = 1\n", "")
    except NotKnown as why:
        raise UsageError(
            f"quality can't be measured: {why}",
            hint=f"install it anew: {install_command('scoring')}; or leave quality out: --weights correctness=1",
            settings=("scoring", "weights"),
        ) from None


def tools() -> str:
    """The versions of ruff and radon, and the rules. Raises UsageError where one isn't installed."""
    import importlib.metadata

    try:
        versions = [f"{name} {importlib.metadata.version(name)}" for name in ("ruff", "radon")]
    except importlib.metadata.PackageNotFoundError as error:
        raise UsageError(
            f"quality needs {error.name}, which is not installed",
            hint=install_command("scoring"),
            settings=("scoring",),
        ) from None
    return f"{', '.join(versions)}, {'+'.join(LINT_RULES)}"


class Reader:
    """One child that reads programs, started when it is needed, and again when it died. For one thread at a time."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None

    def facts(self, before: str, completion: str, entry_point: str) -> ProgramFacts:
        """Raises NotKnown."""
        found = self._asked([before, completion, entry_point])
        if "error" in found:
            raise NotKnown(found["error"], lasting=found.get("lasting", True))
        return ProgramFacts(
            findings=found["findings"],
            complexity=found["complexity"],
            most_complex=found["most_complex"],
            maintainability=found["maintainability"],
            statements=found["statements"],
        )

    def _asked(self, question: list[str]) -> dict[str, Any]:
        """Asked twice where the child dies of it: somebody else may have ended it the first time."""
        ended: int | None = None
        for _ in range(2):
            answer = self._answer(json.dumps(question).encode() + b"\n")
            if answer.endswith(b"\n"):
                said: dict[str, Any] = json.loads(answer)
                return said
            ended = self._end()
        if ended in _OF_THE_PROGRAM:
            raise NotKnown("it is too deeply nested or too long to be parsed")
        how = f"exit code {ended}" if ended is None or ended >= 0 else f"signal {-ended}"
        raise NotKnown(f"what reads programs ended with {how}", lasting=False)

    def _answer(self, question: bytes) -> bytes:
        """Without its end where the child died."""
        child = self._child or self._started()
        if child.stdin is None or child.stdout is None:
            raise AssertionError("the child has pipes")
        with contextlib.suppress(BrokenPipeError):
            child.stdin.write(question)
            child.stdin.flush()
            return child.stdout.readline()
        return b""

    def _started(self) -> subprocess.Popen[bytes]:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "evaluation.scoring.quality.facts_program"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
        )
        return self._child

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _end(self) -> int | None:
        """The status of a child that has closed its output; None where it had to be killed."""
        code = None
        if self._child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self._child.wait(_END_S)
        self.close()
        return code

    def close(self) -> None:
        """Can be called repeatedly."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.communicate()
