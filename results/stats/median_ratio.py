"""How many times as much one thing takes as another, from rounds in which both were measured, without dependencies.

Measurements of time have long tails: whatever disturbs a machine makes a program slower, and nothing makes it faster.
So it is the median of the rounds' ratios, and its interval makes no assumption on how they are distributed.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Of one look. Whoever looks several times, and stops at the first narrow interval, errs a little more often: with this,
# 95 % of the intervals hold the true ratio (`python -m tests.benchmarks --only efficiency`).
CONFIDENCE = 0.98
FEWEST = 7  # rounds that give an interval at this confidence


@dataclass(frozen=True)
class MedianRatio:
    """value, with its interval from low to high. rounds: how many ratios it is the median of."""

    value: float
    low: float
    high: float
    rounds: int

    @property
    def spread(self) -> float:
        """How many times low high is."""
        return self.high / self.low


def median_ratio(ratios: Sequence[float]) -> MedianRatio | None:
    """None for fewer than `FEWEST`. ratios: positive.

    The interval goes from the k-th smallest to the k-th largest ratio. The median lies outside only if fewer than k of
    the rounds fell on one side of it, each of which does so with a probability of one half (David & Nagaraja 2003,
    "Order Statistics", section 7.1).
    """
    place = _place(len(ratios))
    if place is None:
        return None
    in_order = sorted(ratios)
    return MedianRatio(median(in_order), in_order[place], in_order[-1 - place], len(ratios))


@functools.cache
def _place(count: int) -> int | None:
    """Of the interval's lower end among so many values in order, from 0."""
    outside, place = 2.0**-count, None
    while 2 * outside <= 1 - CONFIDENCE:
        place = 0 if place is None else place + 1
        outside += math.comb(count, place + 1) * 2.0**-count
    return place
