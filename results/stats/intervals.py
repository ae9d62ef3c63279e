"""How sure a score is: standard errors and 95 % intervals of means of fractions, without dependencies.

Every interval is Wilson's, with an effective sample size: the number of samples if each has one verdict, more if each
is a mean of several.
"""

from __future__ import annotations

import functools
import math
from statistics import NormalDist, fmean
from typing import TYPE_CHECKING

from results.records import Metric

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIDENCE = 0.95


def wilson_interval(passed: float, total: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The score interval of a proportion, as fractions. It also holds near 0 and 1, where p ± 1.96 s fails.

    Wilson, E. B. (1927), "Probable inference, the law of succession, and statistical inference", JASA 22:
    (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n). `passed` may be a sum of fractions and `total` an effective
    number of samples. Raises ValueError.
    """
    if not 0 < total < math.inf or not 0 <= passed <= total or not 0 < confidence < 1:
        raise ValueError(f"no interval for {passed} of {total} at {confidence}")
    z = _quantile(confidence)
    p = passed / total
    scale = 1 + z * z / total
    center = (p + z * z / (2 * total)) / scale
    half = z * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total)) / scale
    # Exact arithmetic gives 0 and 1 here; rounding would leave 1e-17.
    low = 0.0 if passed == 0 else max(0.0, center - half)
    high = 1.0 if passed == total else min(1.0, center + half)
    return low, high


@functools.cache
def _quantile(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)


def standard_error(values: Sequence[float]) -> float | None:
    """The standard error of the mean of independent values, s/√n. None for fewer than two."""
    count = len(values)
    if count < 2:
        return None
    mean = fmean(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1) / count)


def mean_of_samples(values: Sequence[float], verdicts: int | None) -> Metric:
    """The mean of one fraction per sample, such as its pass@k. Raises ValueError without values.

    verdicts: how many verdicts (completions, say) the values come from in total; None if not known. The verdicts of one
    sample depend on each other, so the sample is the unit (Miller 2024, "Adding error bars to evals",
    arXiv:2411.00640), and the interval is Wilson's for an effective sample size, `samples_worth`.
    """
    mean = min(1.0, max(0.0, fmean(values)))
    worth = samples_worth(values, verdicts)
    low, high = wilson_interval(mean * worth, worth)
    return Metric(value=mean, stderr=standard_error(values), low=low, high=high)


def samples_worth(values: Sequence[float], verdicts: int | None) -> float:
    """The effective sample size: how many independent verdicts would leave the mean equally unsure.

    p(1-p)/s²: the number of verdicts over the design effect (Kish 1965, "Survey sampling"; Rao & Scott 1992, "A simple
    method for the analysis of clustered binary data", Biometrics 48), between the numbers of samples and of verdicts.
    Used in Wilson's interval, it is among the methods that hold best for clustered data: Franco, Little, Louis & Slud
    (2019), "Comparative study of confidence intervals for proportions in complex sample surveys", J. Survey Statistics
    and Methodology 7.

    Near 0 and 1 the variance itself is hardly known: one pass doesn't show how much a sample's verdicts agree, and
    without any, s is 0. So the observed variance is averaged with p(1-p)/n, that of samples whose verdicts all agree.
    Its weight is the square of the number of informative samples (those with any pass or those with any failure,
    whichever are fewer), against a weight of 1. This weight is ours; `python -m tests.benchmarks --only statistics`
    shows that the interval holds with it.
    """
    count, mean, stderr = len(values), fmean(values), standard_error(values)
    spread = mean * (1 - mean)
    if stderr is None or spread <= 0 or verdicts == count:
        return float(count)
    most, least = 1 / count, 1 / verdicts if verdicts else 0.0
    observed = min(most, max(least, stderr**2 / spread))
    telling = min(sum(value > 0 for value in values), sum(value < 1 for value in values)) ** 2
    return (telling + 1) / (telling * observed + most)


def reported_mean(value: float, stderr: float | None, samples: int | None) -> Metric:
    """A mean from 0 to 1 with a standard error reported by another program; without one there is no interval.

    The interval is Wilson's for the sample size that the error implies; if the error is 0, for `samples`.
    """
    if stderr is None:
        return Metric(value=value)
    square = stderr * stderr  # 0 of the smallest ones too
    # Values from 0 to 1 can't spread so far that n of them are worth less than n - 1.
    worth = max(1.0, value * (1 - value) / square) if square and 0 < value < 1 else 0.0
    if not 0 < worth < math.inf:
        worth = samples or 0.0
    if not worth:
        return Metric(value=value, stderr=stderr)
    low, high = wilson_interval(value * worth, worth)
    return Metric(value=value, stderr=stderr, low=low, high=high)
