"""Efficiency: processor time and peak memory of a passing solution against the reference, in the same sandbox."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from evaluation.scoring import alternating
from evaluation.scoring.alternating import Bare, NotMeasured, alternate
from evaluation.scoring.contract import Measured
from evaluation.scoring.trials import SLOWER, trials
from results.scores.composite import Part
from results.stats.median_ratio import CONFIDENCE, FEWEST
from sandbox import NEAR, Limits, SandboxError, open_sandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from evaluation.scoring.alternating import Found
    from evaluation.scoring.contract import Means, Solution
    from evaluation.scoring.trials import Trials
    from sandbox import Sandbox

_BUDGET = (alternating.BUDGET_S, alternating.MOST_ROUNDS, alternating.NARROW, alternating.TOO_WIDE)


class Efficiency:
    """Implements `PartMeasure`. Solutions are measured one after the other: what runs beside them would be measured
    too.
    """

    part = Part.EFFICIENCY
    only_passing = True

    def __init__(self, means: Means) -> None:
        self._means = means
        self._bare = Bare()
        self.rules = (
            f"2: {means.level} sandbox, {means.timeout_s:g} s, {means.memory_bytes} bytes; "
            f"from {alternating.FLOOR_S:g} s and {alternating.FLOOR_BYTES} bytes; {FEWEST} rounds at least, "
            f"{CONFIDENCE:g}; budget {' '.join(f'{one:g}' for one in _BUDGET)}; at most {SLOWER:g} times"
        )

    async def measure(self, solutions: Sequence[Solution]) -> AsyncIterator[tuple[Solution, Measured]]:
        """See `PartMeasure.measure`. Of programs that are the same to the letter one is measured."""
        if not solutions:
            return
        box = await asyncio.to_thread(open_sandbox, self._means.level, 1)
        found: dict[tuple[str, str], Measured] = {}
        made: dict[str, Trials | NotMeasured] = {}
        try:
            for solution in sorted(solutions, key=lambda one: one.sample.task_id):
                key = solution.sample.task_id, solution.program
                if key not in found:
                    try:
                        found[key] = await asyncio.to_thread(self._measured, solution, box, made)
                    except SandboxError as error:
                        found[key] = Measured(value=None, why_not=f"sandbox: {error.message}", lasting=False)
                yield solution, found[key]
        finally:
            box.close()  # a program that still runs ends with it, and so does its thread

    def _measured(self, solution: Solution, box: Sandbox, made: dict[str, Trials | NotMeasured]) -> Measured:
        """Raises SandboxError. made: of the last task."""
        sample = solution.sample
        # A solution that passed just within its limit must not fail here, where it may be slower.
        limits = Limits(cpu_s=NEAR * self._means.timeout_s, memory_bytes=self._means.memory_bytes)
        if sample.task_id not in made:
            made.clear()
            try:
                made[sample.task_id] = trials(sample, box, limits)
            except NotMeasured as error:
                made[sample.task_id] = error
        of_task = made[sample.task_id]
        if isinstance(of_task, NotMeasured):
            return Measured(value=None, why_not=str(of_task))
        try:
            found = None
            if not of_task.scaled:
                found = self._bare.of_little(box, of_task.reference, of_task.executions(solution.program))
            found = found or alternate(box, of_task.of(solution.program))
        except NotMeasured as error:
            if error.too_slow and of_task.scaled:
                return Measured(value=0.0, figures={"scaled": True, "cpu_ratio_at_least": SLOWER})
            return Measured(value=None, why_not=str(error), lasting=not error.busy)
        return Measured(value=score(found), figures=figures(found) | {"scaled": of_task.scaled})


def score(found: Found) -> float:
    """0 to 100: the mean of two shares, of processor time and of memory. Each is 100 for a solution that takes no more
    than the reference, 50 for one that takes twice as much.
    """
    return 50.0 * sum(1 / max(1.0, ratio.value) for ratio in (found.cpu, found.memory))


def figures(found: Found) -> dict[str, Any]:
    """For the record."""
    return {
        "cpu_ratio": round(found.cpu.value, 4),
        "cpu_ratio_low": round(found.cpu.low, 4),
        "cpu_ratio_high": round(found.cpu.high, 4),
        "memory_ratio": round(found.memory.value, 4),
        "memory_ratio_low": round(found.memory.low, 4),
        "memory_ratio_high": round(found.memory.high, 4),
        "cpu_s": round(found.solution.cpu_s, 6),
        "reference_cpu_s": round(found.reference.cpu_s, 6),
        "memory_bytes": found.solution.peak_bytes,
        "reference_memory_bytes": found.reference.peak_bytes,
        "rounds": found.cpu.rounds,
        "below_resolution": found.is_little,
    }
