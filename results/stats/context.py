"""What a model finds in texts of what length and at what depth; and its effective context, after RULER."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from results.json_text import NOT_THAT_JSON
from results.records import Loss, Metric, Outcome
from results.stats.intervals import mean_of_samples

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from results.records import Completion

CONTEXT = "context"  # in the details of a score
RECALL = "recall"  # of a completion's metrics: the share of the values asked for that its answer holds
# RULER's (Hsieh et al. 2024, arXiv:2404.06654): what Llama 2 7B reaches at its 4k, as the mean over its tasks.
THRESHOLD = 0.856


class LengthFigures(msgspec.Struct, frozen=True, kw_only=True):
    """All samples of one length, in tokens. prompt_tokens: the mean of what the server counted in their prompts.

    lost: so many completions were lost to infrastructure and are in none of the figures; 0 in older records, where they
    count as a recall of 0.
    """

    length: int
    samples: int
    recall: Metric
    prompt_tokens: int | None = None
    lost: int = 0


class DepthCell(msgspec.Struct, frozen=True, kw_only=True):
    """Those of one length whose needle is at one depth. passed, completions: their numbers."""

    length: int
    depth: str
    passed: int
    completions: int


class ContextFigures(msgspec.Struct, frozen=True, kw_only=True):
    """effective_context: the longest length such that it and all shorter ones reach the threshold; 0: none does.

    A length that has nothing but lost completions is left out. lost: of all lengths, those included.
    """

    lengths: tuple[LengthFigures, ...]
    cells: tuple[DepthCell, ...]
    threshold: float
    effective_context: int
    lost: int = 0


def context_figures(completions: Sequence[Completion]) -> ContextFigures:
    """Of completions with the tags length and depth, and with their recall."""
    found, effective, holds = [], 0, True
    by_length: dict[int, list[Completion]] = {}
    for completion in completions:
        by_length.setdefault(int(completion.tags["length"]), []).append(completion)
    for length, all_there in sorted(by_length.items()):
        some = measured(all_there)
        if not some:
            continue
        recall = mean_recall(some)
        counts = [completion.prompt_tokens for completion in some if completion.prompt_tokens]
        holds = holds and recall.value >= THRESHOLD
        effective = length if holds else effective
        found.append(
            LengthFigures(
                length=length,
                samples=len({completion.task_id for completion in some}),
                recall=recall,
                prompt_tokens=round(sum(counts) / len(counts)) if counts else None,
                lost=len(all_there) - len(some),
            )
        )
    kept = measured(completions)
    return ContextFigures(
        lengths=tuple(found),
        cells=_cells(kept),
        threshold=THRESHOLD,
        effective_context=effective,
        lost=len(completions) - len(kept),
    )


def measured(completions: Iterable[Completion]) -> list[Completion]:
    """Without what the infrastructure lost, which says nothing of the model; a prompt that is too long does."""
    return [
        completion
        for completion in completions
        if completion.outcome is not Outcome.INFRASTRUCTURE_ERROR or completion.loss is Loss.PROMPT_TOO_LONG
    ]


def mean_recall(completions: Iterable[Completion]) -> Metric:
    """The mean over samples. Raises ValueError without completions. What was lost counts as 0: see `measured`."""
    samples: dict[str, list[float]] = {}
    for completion in completions:
        samples.setdefault(completion.task_id, []).append(completion.metrics.get(RECALL, 0.0))
    return mean_of_samples([sum(each) / len(each) for each in samples.values()], None)


def read_context(details: Mapping[str, Any]) -> ContextFigures | None:
    """The figures in the details of a score; None for those of another benchmark, and for what is none."""
    try:
        found = msgspec.convert(details.get(CONTEXT), ContextFigures)
    except NOT_THAT_JSON:
        return None
    return found if found.lengths else None


def depth_order(depth: str) -> tuple[bool, float]:
    """What is spread over the text comes last."""
    percent = depth.removesuffix("%")
    return (False, float(percent)) if percent.isdecimal() else (True, 0.0)


def _cells(completions: Sequence[Completion]) -> tuple[DepthCell, ...]:
    verdicts: dict[tuple[int, str], list[bool]] = {}
    for completion in completions:
        place = (int(completion.tags["length"]), completion.tags["depth"])
        verdicts.setdefault(place, []).append(completion.passed)
    return tuple(
        DepthCell(length=length, depth=depth, passed=sum(some), completions=len(some))
        for (length, depth), some in sorted(
            verdicts.items(), key=lambda cell: (cell[0][0], depth_order(cell[0][1]))
        )
    )
