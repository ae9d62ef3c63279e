"""How sure a score is: intervals and standard errors, without a dependency."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def wilson_interval(passed: float, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """The score interval of a proportion, as fractions; it holds near 0 and 1 too, where p ± 1.96 s fails.

    Wilson, E. B. (1927), "Probable inference, the law of succession, and statistical inference", JASA 22:
    (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n). `passed` may be the sum of fractions passed, where a
    sample has several completions: they are one cluster, and `total` counts the samples. Raises ValueError.
    """
    if total < 1 or not 0 <= passed <= total or not 0 < confidence < 1:
        raise ValueError(f"no interval for {passed} of {total} at {confidence}")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    p = passed / total
    scale = 1 + z * z / total
    center = (p + z * z / (2 * total)) / scale
    half = z * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total)) / scale
    # In exact arithmetic the ends are 0 and 1 there; rounding would leave 1e-17.
    low = 0.0 if passed == 0 else max(0.0, center - half)
    high = 1.0 if passed == total else min(1.0, center + half)
    return low, high


def clustered_stderr(clusters: Sequence[Sequence[float]]) -> float | None:
    """The standard error of the mean of all values, where values of one cluster depend on each other.

    √(Σ_c (Σ_i (x_ci - mean))²) / n, as in Miller (2024), "Adding error bars to evals", arXiv:2411.00640, with
    the usual correction for few clusters, G/(G-1). With one value a cluster it is the ordinary s/√n. None for
    fewer than two clusters, where it is unknown.
    """
    filled = [cluster for cluster in clusters if cluster]
    if len(filled) < 2:
        return None
    count = sum(len(cluster) for cluster in filled)
    mean = math.fsum(value for cluster in filled for value in cluster) / count
    squares = math.fsum(math.fsum(value - mean for value in cluster) ** 2 for cluster in filled)
    return math.sqrt(squares * len(filled) / (len(filled) - 1)) / count


def pass_at_k(completions: int, passed: int, k: int) -> float:
    """The unbiased estimate for one sample: 1 - C(n-c, k) / C(n, k).

    Chen et al. (2021), "Evaluating large language models trained on code", arXiv:2107.03374, equation 1. Raises
    ValueError where it is undefined: with fewer than k completions.
    """
    if not 0 <= passed <= completions or not 1 <= k <= completions:
        raise ValueError(f"pass@{k} is undefined with {completions} completions, {passed} of them passed")
    return 1 - math.comb(completions - passed, k) / math.comb(completions, k)
