"""Metrics that a tool has computed: fractions with the standard error that it gives, and their mean."""

from __future__ import annotations

import math
from statistics import fmean
from typing import TYPE_CHECKING

from parsers.output import number
from results.stats.intervals import reported_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.records import Metric


def fraction(value: object, stderr: object = None, samples: int | None = None) -> Metric | None:
    """The metric with its 95 % interval; None if the value is not a fraction from 0 to 1, such as a perplexity."""
    mean = number(value)
    if mean is None or not 0 <= mean <= 1:
        return None
    error = number(stderr)
    return reported_mean(mean, error if error is not None and 0 <= error < math.inf else None, samples)


def mean(metrics: Sequence[Metric]) -> Metric:
    """The unweighted mean of different tasks, with the standard error that follows from theirs, if all are known."""
    if len(metrics) == 1:
        return metrics[0]
    errors = [metric.stderr for metric in metrics if metric.stderr is not None]
    known = len(errors) == len(metrics)
    value = min(1.0, max(0.0, fmean(metric.value for metric in metrics)))
    return reported_mean(value, math.hypot(*errors) / len(metrics) if known else None, None)
