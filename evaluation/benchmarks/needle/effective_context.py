"""How long a text may be before the model stops finding things in it: RULER's effective context."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from evaluation.benchmarks.needle.task import RECALL
from results.stats.intervals import mean_of_samples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.records import Completion

# RULER's: what Llama 2 7B reaches at its 4k, as the mean over its tasks.
THRESHOLD = 0.856


def by_length(completions: Sequence[Completion]) -> dict[str, Any]:
    """For the summary: of each length the share of values found with its interval and the prompts' mean length, and the
    effective context.

    effective_context: the longest length such that it and all shorter ones reach the threshold; 0: not even the
    shortest.
    """
    lengths: dict[int, list[Completion]] = {}
    for completion in completions:
        lengths.setdefault(int(completion.tags["length"]), []).append(completion)
    found, effective, holds = [], 0, True
    for length, some in sorted(lengths.items()):
        samples: dict[str, list[float]] = {}
        for completion in some:
            samples.setdefault(completion.task_id, []).append(completion.metrics.get(RECALL, 0.0))
        recall = mean_of_samples([sum(each) / len(each) for each in samples.values()], len(some))
        counts = [completion.prompt_tokens for completion in some if completion.prompt_tokens]
        holds = holds and recall.value >= THRESHOLD
        effective = length if holds else effective
        found.append(
            {
                "length": length,
                "samples": len(samples),
                RECALL: msgspec.to_builtins(recall),
                "prompt_tokens": round(sum(counts) / len(counts)) if counts else None,
            }
        )
    return {"context": {"lengths": found, "threshold": THRESHOLD, "effective_context": effective}}
