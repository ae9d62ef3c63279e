"""How often the intervals of metrics hold, and the tests of two equal runs are wrong, where the truth is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from results.stats.corpus_metrics import Pair
from results.stats.intervals import mean_of_samples
from results.stats.paired import compare_fractions
from results.stats.resampling import corpus_interval, corpus_value, share_as_far, swapped_differences

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLES = (20, 50, 200)
METRICS = ("mcc", "f1", "macro_f1")
SHAPES = (
    (0.3, 0.3),
    (2.0, 2.0),
    (0.5, 0.1),
    (0.2, 2.0),
)  # of fractions: at the ends, in the middle, high, low
LABELS = (
    (0.5, 0.6),
    (0.5, 0.8),
    (0.3, 0.9),
    (0.1, 0.7),
)  # shares of the positive class, and of right answers
_DRAWS = 500
_FEWEST = 5  # samples of a class


def mean_coverage(samples: int, *, repeats: int) -> float:
    """The share of intervals of means of fractions that hold the true mean, over all shapes."""
    chance = np.random.default_rng(samples)
    held = []
    for one, other in SHAPES:
        for values in chance.beta(one, other, (repeats, samples)):
            metric = mean_of_samples(values.tolist(), None)
            held.append(metric.low is not None and metric.low <= one / (one + other) <= (metric.high or 0.0))
    return float(np.mean(held))


def corpus_coverage(metric: str, samples: int, *, repeats: int) -> float:
    """The same of a metric of all answers, over all mixes of labels with some samples of each class; those without an
    interval hold nothing. With two samples of a class expected, three quarters of intervals hold the truth.
    """
    chance = np.random.default_rng(samples)
    held = []
    for share, right in LABELS:
        if share * samples < _FEWEST:
            continue
        truth = _truth(metric, share, right)
        for answers in _answers(chance, samples, share, right, repeats):
            interval = corpus_interval(metric, answers, "y", draws=_DRAWS)
            held.append(interval is not None and interval[1] <= truth <= interval[2])
    return float(np.mean(held))


def false_positives_of_swaps(metric: str, samples: int, *, repeats: int) -> float:
    """The share of pairs of equal runs that the swap test calls different at 5 %."""
    chance = np.random.default_rng(samples)
    found = []
    for share, right in LABELS:
        for first in _answers(chance, samples, share, right, repeats):
            second = [[Pair(_said(chance, pair.expected, right), pair.expected)] for (pair,) in first]
            seen = corpus_value(metric, second, "y") - corpus_value(metric, first, "y")
            drawn = swapped_differences(metric, first, second, "y", draws=_DRAWS - 1)
            found.append(share_as_far(drawn, seen) <= 0.05)
    return float(np.mean(found))


def false_positives_of_signs(samples: int, *, repeats: int) -> float:
    """The same of the sign-flip test of fractions."""
    chance = np.random.default_rng(samples)
    found = [
        compare_fractions(one.tolist(), other.tolist()).p_value < 0.05
        for shape in SHAPES
        for one, other in chance.beta(*shape, (repeats, 2, samples)).round(2)
    ]
    return float(np.mean(found))


def _truth(metric: str, share: float, right: float) -> float:
    """Of infinitely many answers, told by ten thousand in the right proportions."""
    counts = {
        ("y", "y"): share * right,
        ("n", "y"): share * (1 - right),
        ("n", "n"): (1 - share) * right,
        ("y", "n"): (1 - share) * (1 - right),
    }
    return corpus_value(
        metric, [[Pair(*pair)] for pair, n in counts.items() for _ in range(round(10_000 * n))], "y"
    )


def _answers(
    chance: np.random.Generator, samples: int, share: float, right: float, repeats: int
) -> Iterator[list[list[Pair]]]:
    for _ in range(repeats):
        expected = ["y" if value < share else "n" for value in chance.random(samples)]
        yield [[Pair(_said(chance, label, right), label)] for label in expected]


def _said(chance: np.random.Generator, label: str, right: float) -> str:
    return label if chance.random() < right else {"y": "n", "n": "y"}[label]
