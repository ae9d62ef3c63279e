"""The quality of solutions, as a part of the composite score."""

from __future__ import annotations

import asyncio
import queue
from concurrent.futures import ThreadPoolExecutor
from statistics import fmean
from typing import TYPE_CHECKING, Any

from evaluation.scoring.contract import Measured
from evaluation.scoring.quality.facts import NotKnown, Reader, tools
from results.scores.composite import Part

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from evaluation.scoring.contract import Means, Solution
    from evaluation.scoring.quality.facts import ProgramFacts

RULES = 3  # raised where the same facts give another value
MOST_COMPLEX = 10  # of a function without a reference to be compared with: McCabe's own limit


def quality_of(solution: ProgramFacts, reference: ProgramFacts | None) -> Mapping[str, float]:
    """By figure, 0 to 100; the quality is their mean. docs/scoring.md says where each is from.

    With a reference, 100 is as good as that or better. Length alone says nothing.
    """
    if reference is None:
        return {
            "lint": 100 * max(0.0, 1 - _lint_rate(solution, {})),
            "complexity": 100 * min(1.0, MOST_COMPLEX / max(1, solution.most_complex)),
            "maintainability": solution.maintainability,
        }
    return {
        "lint": 100 * max(0.0, 1 - _lint_rate(solution, reference.findings)),
        "complexity": 100 * min(1.0, max(1, reference.complexity) / max(1, solution.complexity)),
        "maintainability": 100 - max(0.0, reference.maintainability - solution.maintainability),
        "length": 100 * min(1.0, max(1, reference.statements) / max(1, solution.statements)),
    }


def _lint_rate(facts: ProgramFacts, excused: Mapping[str, int]) -> float:
    """Findings a statement, as in pylint's score. excused: those that the reference has, by rule: many come from names
    that the task itself gives.
    """
    more = sum(max(0, count - excused.get(rule, 0)) for rule, count in facts.findings.items())
    return more / max(1, facts.statements)


class Quality:
    """Implements `PartMeasure`. Raises UsageError where ruff or radon isn't installed."""

    part = Part.QUALITY
    only_passing = True

    def __init__(self, means: Means) -> None:
        self.rules = f"{RULES}: {tools()}"
        self._workers = means.workers

    async def measure(self, solutions: Sequence[Solution]) -> AsyncIterator[tuple[Solution, Measured]]:
        """As many at once as there are workers, each with a child of its own."""
        loop = asyncio.get_running_loop()
        readers: queue.SimpleQueue[Reader] = queue.SimpleQueue()
        count = max(1, min(self._workers, len(solutions)))
        threads = ThreadPoolExecutor(count, thread_name_prefix="quality")
        every = [Reader() for _ in range(count)]
        for reader in every:
            readers.put(reader)
        references: dict[str, asyncio.Future[ProgramFacts | NotKnown]] = {}

        async def asked(before: str, completion: str, entry_point: str) -> ProgramFacts | NotKnown:
            return await loop.run_in_executor(threads, _facts, readers, before, completion, entry_point)

        async def one(solution: Solution) -> tuple[Solution, Measured]:
            sample = solution.sample
            found = await asked(sample.before, solution.completion.completion, sample.entry_point)
            if isinstance(found, NotKnown):
                return solution, Measured(value=None, why_not=str(found), lasting=found.lasting)
            reference = None
            if sample.reference.strip():
                if sample.task_id not in references:
                    references[sample.task_id] = asyncio.ensure_future(asked("", sample.reference, ""))
                reference = await references[sample.task_id]
            if isinstance(reference, NotKnown):
                why_not = f"of the reference: {reference}"
                return solution, Measured(value=None, why_not=why_not, lasting=reference.lasting)
            by_figure = quality_of(found, reference)
            figures: dict[str, Any] = {**by_figure, "solution": found._asdict()}
            if reference is not None:
                figures["reference"] = reference._asdict()
            return solution, Measured(value=fmean(by_figure.values()), figures=figures)

        tasks = [asyncio.ensure_future(one(solution)) for solution in solutions]
        try:
            for done in asyncio.as_completed(tasks):
                yield await done
        finally:
            waiting: list[asyncio.Future[Any]] = [*tasks, *references.values()]
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            threads.shutdown(cancel_futures=True)
            for reader in every:
                reader.close()


def _facts(
    readers: queue.SimpleQueue[Reader], before: str, completion: str, entry_point: str
) -> ProgramFacts | NotKnown:
    """In a thread, of which there are as many as readers."""
    reader = readers.get()
    try:
        return reader.facts(before, completion, entry_point)
    except NotKnown as why:
        return why
    finally:
        readers.put(reader)
