"""What the runs of a candidate answered, sample by sample, over all benchmarks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.compare.metric_pair import require_passes
from results.durable import explained
from results.records import Outcome
from results.store.verdicts import read_verdicts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from results.records import RunRecord
    from results.store.run_folder import RunFolder
    from settings.asked import Asked

_UNFINISHED = (Outcome.TRUNCATED, Outcome.NO_ANSWER)
# How many samples a benchmark has, where that is fixed.
SAMPLES = {"human_eval": 164, "human_eval_plus": 164, "mbpp_plus": 378, "gsm8k": 1319, "mmlu": 14042}


@dataclass(frozen=True, kw_only=True)
class Answered:
    """solved: by benchmark, then by sample; None for a lost answer. unfinished: answers that were cut or empty."""

    solved: Mapping[str, Mapping[str, bool | None]]
    unfinished: int = 0

    @property
    def pooled(self) -> dict[str, bool | None]:
        """All samples, each named by its benchmark too."""
        return {f"{name} {task}": each for name, tasks in self.solved.items() for task, each in tasks.items()}

    @property
    def samples(self) -> int:
        return sum(map(len, self.solved.values()))

    @property
    def lost(self) -> int:
        return sum(each is None for tasks in self.solved.values() for each in tasks.values())

    @property
    def score(self) -> float:
        """Percent of all samples, lost ones counted as not solved."""
        right = sum(each is True for tasks in self.solved.values() for each in tasks.values())
        return 100 * right / self.samples if self.samples else 0.0


def planned_samples(name: str, asked: Asked) -> int | None:
    """How many samples of a benchmark are asked for; None if that isn't known before it has run."""
    there = None if asked["dataset"] is not None else SAMPLES.get(name)
    known = [each for each in (there, asked["limit"]) if each is not None]
    return min(known) if known else None


def read_answered(runs: Sequence[tuple[RunFolder, RunRecord]]) -> Answered:
    """One run for each benchmark, with one completion for each sample. Raises ResultsError."""
    solved: dict[str, dict[str, bool | None]] = {}
    unfinished = 0
    for folder, record in runs:
        require_passes(record, "recommend")
        with explained("read", folder.completions):
            verdicts, _ = read_verdicts(folder.completions)
        solved[record.benchmark] = {
            verdict.task_id: None if verdict.outcome is Outcome.INFRASTRUCTURE_ERROR else verdict.passed
            for verdict in verdicts
        }
        unfinished += sum(verdict.outcome in _UNFINISHED for verdict in verdicts)
    return Answered(solved=solved, unfinished=unfinished)
