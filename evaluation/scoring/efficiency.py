"""Efficiency: processor time and peak memory of a passing solution against the reference, in the same sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation.scoring.contract import Measured
from results.scores.composite import Part

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from evaluation.scoring.contract import Means, Solution


class Efficiency:
    """Implements `PartMeasure`."""

    part = Part.EFFICIENCY
    rules = "0"
    only_passing = True

    def __init__(self, means: Means) -> None:
        self._means = means

    async def measure(self, solutions: Sequence[Solution]) -> AsyncIterator[tuple[Solution, Measured]]:
        for solution in solutions:
            yield solution, Measured(value=None, why_not="not measured")
