"""pass@k of all samples of a run, and of those with each tag."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.stats.pass_at_k import pass_at, usual_ks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from results.records import Completion, Metric


def pass_at_k_metrics(completions: Iterable[Completion]) -> dict[str, Metric]:
    """`pass@1`, and `pass@10`, `pass@100` and `pass@n` where every sample has that many completions; then the same
    for the samples with each tag, as in `pass@1 difficulty=easy`. With 95 % intervals. Empty without completions.
    """
    groups: dict[str, dict[str, list[bool]]] = {"": {}}
    for completion in completions:
        for group in ("", *(f" {tag}={value}" for tag, value in completion.tags.items())):
            groups.setdefault(group, {}).setdefault(completion.task_id, []).append(completion.passed)
    found = {}
    for group, by_sample in sorted(groups.items()):
        counts = [(len(passed), sum(passed)) for passed in by_sample.values()]
        for k in usual_ks(min((n for n, _ in counts), default=0)):
            if (metric := pass_at(counts, k)) is not None:
                found[f"pass@{k}{group}"] = metric
    return found
