"""What a part of a composite score is given of a run's answers, and what it gives. What each means: docs/scoring.md.

A part is a class that implements `PartMeasure`, and a line in `evaluation.scoring.parts`. The driver
(`evaluation.scoring.measuring`) gives it what it has not measured yet, writes down each result at once, and measures
again only what was measured by other rules, or is another answer by now.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from results.records import Completion


@dataclass(frozen=True, kw_only=True)
class CodingSample:
    """One coding task, of any benchmark.

    data: as the benchmark has it: of human_eval and mbpp the `Sample.data`, of tasks the `CodingTask`, of
    human_eval_plus and mbpp_plus the `Problem`. before: what stands before a completion in the program that is
    executed. reference: the whole reference solution; empty where there is none. entry_point: the function's name;
    empty for a program that reads and prints.
    """

    benchmark: str
    task_id: str
    data: Any
    before: str = ""
    reference: str = ""
    entry_point: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Solution:
    """One answer of a run."""

    sample: CodingSample
    completion: Completion

    @property
    def program(self) -> str:
        """All that is executed, without its tests."""
        return f"{self.sample.before}{self.completion.completion}"

    @property
    def passed(self) -> bool:
        return self.completion.passed


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a part found. value: 0 to 100, more is better; None: not known, and `why_not` says why in a few words.
    figures: what was measured, with units in the names; JSON. lasting: False where it may be the machine's fault that
    nothing is known, so that it is measured again the next time.
    """

    value: float | None
    why_not: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)
    lasting: bool = True


@dataclass(frozen=True, kw_only=True)
class Means:
    """What executes programs: those of the run. level: of the sandbox. timeout_s: processor time of one execution.
    workers: how many things may be done at once where that disturbs nothing.
    """

    level: str
    timeout_s: float
    memory_bytes: int
    workers: int


class PartMeasure(Protocol):
    """Measures one part of solutions."""

    @property
    def part(self) -> str:
        """Its name: one of `results.scores.composite.Part`, or of a scorer of one's own."""

    @property
    def rules(self) -> str:
        """All that decides a value beside the solution: versions of tools, thresholds, hashes; of one line. What was
        measured by other rules is measured again.
        """

    @property
    def only_passing(self) -> bool:
        """Whether it says nothing of solutions that fail; the driver keeps these from it then."""

    def measure(self, solutions: Sequence[Solution]) -> AsyncIterator[tuple[Solution, Measured]]:
        """Each solution with what was found, in any order, as soon as it is known. Cancelled at any time: whatever was
        opened is closed then. Raises BenchError where nothing can be measured at all.
        """
