"""Metrics that a tool has computed: fractions with the standard error that it gives, and their mean."""

from __future__ import annotations

import math
from statistics import NormalDist, fmean
from typing import TYPE_CHECKING

from parsers.output import number
from results.records import Metric
from results.stats.intervals import wilson_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

_Z = NormalDist().inv_cdf(0.975)


def fraction(value: object, stderr: object = None, samples: int | None = None) -> Metric | None:
    """The metric with its 95 % interval; None where the value is no fraction from 0 to 1, such as a perplexity.

    1.96 standard errors to both sides; Wilson's interval where that would have no width and the number of
    samples is known.
    """
    mean = number(value)
    if mean is None or not 0 <= mean <= 1:
        return None
    error = number(stderr)
    if error is None or not 0 <= error < math.inf:
        return Metric(value=mean)
    if error:
        return Metric(
            value=mean, stderr=error, low=max(0.0, mean - _Z * error), high=min(1.0, mean + _Z * error)
        )
    low, high = wilson_interval(mean * samples, samples) if samples else (None, None)
    return Metric(value=mean, stderr=error, low=low, high=high)


def mean(metrics: Sequence[Metric]) -> Metric:
    """The unweighted mean of different tasks, with the standard error that follows from theirs, if all are known."""
    if len(metrics) == 1:
        return metrics[0]
    errors = [metric.stderr for metric in metrics if metric.stderr is not None]
    known = len(errors) == len(metrics)
    return (
        fraction(
            fmean(metric.value for metric in metrics), math.hypot(*errors) / len(metrics) if known else None
        )
        or metrics[0]
    )
