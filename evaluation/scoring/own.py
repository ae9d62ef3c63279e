"""A scorer in a file of the user's own: loaded as Python, and held to the contract. docs/scoring.md shows one.

It is called in a process of its own: it can end that, or hang, or change what it is given, and costs no more than its
own part.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import sys
from typing import TYPE_CHECKING, Self

import msgspec

from evaluation.scoring.contract import Measured
from evaluation.scoring.own_program import PAGE, Asked, Said
from evaluation.scoring.quality.facts import ROOT
from results.errors import ScriptError, UsageError
from results.files import instead_of, read_file, unreadable
from results.json_text import NOT_THAT_JSON, encode
from settings.scoring.weights import scorer_name

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from evaluation.scoring.contract import Solution

_LOAD_S = 45.0  # below the patience of whoever has the file checked before a run
_CALL_S = 300.0
_LONGEST_ANSWER_BYTES = 1 << 20


class OwnScorer:
    """Implements `PartMeasure` by the file's function `score(solution)`. Use as an async context manager, which loads
    the file: it raises UsageError where the file is missing, fails, or has no such function.

    call_s: how long the function may take for one answer.
    """

    only_passing = False

    def __init__(self, path: Path, *, load_s: float = _LOAD_S, call_s: float = _CALL_S) -> None:
        self.part = scorer_name(str(path))
        if why := unreadable(path):
            raise UsageError(f"--scorer {path}: {why}", hint=instead_of(path), settings=("scorer",))
        self.sha256 = hashlib.sha256(read_file(path)).hexdigest()
        self.rules = f"sha256 {self.sha256[:16]}"
        self._path = path
        self._load_s, self._call_s = load_s, call_s
        self._child: Process | None = None

    async def measure(self, solutions: Sequence[Solution]) -> AsyncIterator[tuple[Solution, Measured]]:
        """One after the other, since what the function does beside is not known. Raises ScriptError if it fails, ends
        its process, takes too long, or gives neither None nor a number from 0 to 100.
        """
        for solution in solutions:
            where = f"on the answer to {solution.sample.task_id}"
            try:
                said = await self._said(_question(solution), within_s=self._call_s)
            except TimeoutError:
                raise ScriptError(
                    f"{self._path}: score gave nothing within {self._call_s:g} s {where}", hint=PAGE
                ) from None
            if said is None:
                raise ScriptError(f"{self._path}: score {await self._end()} {where}", hint=PAGE)
            if said.error:
                raise ScriptError(said.error, hint=PAGE)
            why_not = f"{self.part} gave none" if said.value is None else ""
            yield solution, Measured(value=said.value, why_not=why_not)

    async def __aenter__(self) -> Self:
        try:
            await self._load()
        except BaseException:
            await self._close()
            raise
        return self

    async def _load(self) -> None:
        about = ("scorer",)
        self._child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "evaluation.scoring.own_program", str(self._path)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=ROOT,
            limit=_LONGEST_ANSWER_BYTES,
        )
        try:
            said = await self._said(b"", within_s=self._load_s)
        except TimeoutError:
            raise UsageError(
                f"{self._path} was not loaded within {self._load_s:g} s", hint=PAGE, settings=about
            ) from None
        if said is None:
            raise UsageError(
                f"{self._path} {await self._end()} while it was loaded", hint=PAGE, settings=about
            )
        if said.error:
            raise UsageError(said.error, hint=PAGE, settings=about)

    async def _said(self, question: bytes, *, within_s: float) -> Said | None:
        """None where the child ended instead, or wrote what is no answer. Raises TimeoutError."""
        child = self._child
        if child is None or child.stdin is None or child.stdout is None:
            raise AssertionError("the child is there, and has pipes")
        answer = b""
        async with asyncio.timeout(within_s):
            with contextlib.suppress(OSError, ValueError):  # it ended; a longer line than any answer
                child.stdin.write(question)
                await child.stdin.drain()
                answer = await child.stdout.readline()
        with contextlib.suppress(*NOT_THAT_JSON):
            if answer.endswith(b"\n"):
                return msgspec.json.decode(answer, type=Said)
        return None

    async def _end(self) -> str:
        """How the child ended, a verb phrase."""
        if self._child is None:
            raise AssertionError("the child is there")
        with contextlib.suppress(TimeoutError):
            code = await asyncio.wait_for(self._child.wait(), 1)
            return f"ended its process with {f'signal {-code}' if code < 0 else f'exit code {code}'}"
        return "gave what is no answer"

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()


def _question(solution: Solution) -> bytes:
    sample = solution.sample
    asked = Asked(
        benchmark=sample.benchmark,
        task_id=sample.task_id,
        before=sample.before,
        reference=sample.reference,
        entry_point=sample.entry_point,
        tags=dict(sample.tags),
        completion=solution.completion,
    )
    return encode(asked) + b"\n"
