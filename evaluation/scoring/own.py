"""A scorer in a file of the user's own: loaded as Python, and held to the contract. docs/scoring.md shows one."""

from __future__ import annotations

import asyncio
import hashlib
import math
from typing import TYPE_CHECKING, Any

from evaluation.scoring.contract import Measured
from results.errors import ScriptError, UsageError
from results.files import read_file
from results.own_file import load_own_file, place_in
from settings.scoring.weights import scorer_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from evaluation.scoring.contract import Solution

_PAGE = "docs/scoring.md shows a complete one"
_ABOUT = ("scorer",)


class OwnScorer:
    """Implements `PartMeasure` by the file's function `score(solution)`. Raises UsageError where the file is missing,
    fails, or has no such function.
    """

    only_passing = False

    def __init__(self, path: Path) -> None:
        self.part = scorer_name(str(path))
        self._path = path
        self._score = _loaded(path)
        self.sha256 = hashlib.sha256(read_file(path)).hexdigest()
        self.rules = f"sha256 {self.sha256[:16]}"

    async def measure(self, solutions: Sequence[Solution]) -> AsyncIterator[tuple[Solution, Measured]]:
        """One after the other, since what the function does beside is not known."""
        for solution in solutions:
            yield solution, await asyncio.to_thread(self._measured, solution)

    def _measured(self, solution: Solution) -> Measured:
        """Raises ScriptError if the function fails, or gives neither None nor a number from 0 to 100."""
        try:
            value = self._score(solution)
        except (Exception, SystemExit) as error:
            raise ScriptError(
                f"{place_in(self._path, error)}: on the answer to {solution.sample.task_id}: "
                f"{type(error).__name__}: {error}",
                hint=_PAGE,
            ) from error
        if value is None:
            return Measured(value=None, why_not=f"{self.part} gave none")
        known = isinstance(value, int | float) and not isinstance(value, bool)
        if not known or not math.isfinite(value) or not 0 <= value <= 100:
            raise ScriptError(
                f"{self._path}: score gave {value!r:.60} for the answer to {solution.sample.task_id}, and neither None "
                "nor a number from 0 to 100",
                hint=_PAGE,
            )
        return Measured(value=float(value))


def _loaded(path: Path) -> Callable[[Solution], Any]:
    module = load_own_file(path, setting="scorer", page=_PAGE)
    function = getattr(module, "score", None)
    if not callable(function):
        raise UsageError(f"{path} defines no function score(solution)", hint=_PAGE, settings=_ABOUT)
    return function  # type: ignore[no-any-return]
