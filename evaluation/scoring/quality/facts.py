"""What ruff and radon say of a program: by child processes, which may die of it."""

from __future__ import annotations

import contextlib
import json
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


class NotKnown(Exception):
    """Why the facts of a program are not known, in a few words."""


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
            raise NotKnown(found["error"])
        return ProgramFacts(
            findings=found["findings"],
            complexity=found["complexity"],
            most_complex=found["most_complex"],
            maintainability=found["maintainability"],
            statements=found["statements"],
        )

    def _asked(self, question: list[str]) -> dict[str, Any]:
        """Asked twice where the child dies of it: somebody else may have ended it the first time."""
        for _ in range(2):
            answer = self._answer(json.dumps(question).encode() + b"\n")
            if answer.endswith(b"\n"):
                said: dict[str, Any] = json.loads(answer)
                return said
            self.close()
        raise NotKnown("it is too deeply nested or too long to be parsed")

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

    def close(self) -> None:
        """Can be called repeatedly."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.communicate()
