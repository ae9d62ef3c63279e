"""The median ratio: its interval holds the true one as often as it says, also where its narrowness ends the rounds."""

from __future__ import annotations

import math
import random

import pytest

from results.stats.median_ratio import FEWEST, MedianRatio, median_ratio


def test_too_few_rounds_tell_nothing():
    assert median_ratio([1.0] * (FEWEST - 1)) is None
    assert median_ratio([1.0] * FEWEST) == MedianRatio(1.0, 1.0, 1.0, FEWEST)


def test_interval_is_of_order_statistics():
    """By hand: of 7 values all lie on one side of the median with 2/2^7; of 11 all but one with 2 (1 + 11)/2^11."""
    assert median_ratio([3, 1, 2, 7, 5, 4, 6]) == MedianRatio(4, 1, 7, 7)
    assert median_ratio(list(range(1, 12))) == MedianRatio(6, 2, 10, 11)


def test_an_outlier_moves_nothing():
    quiet, disturbed = (
        [1.0 + 0.001 * number for number in range(15)],
        [1.0 + 0.001 * number for number in range(15)],
    )
    disturbed[14] = 90.0
    assert median_ratio(quiet) == median_ratio(disturbed)


@pytest.mark.parametrize(("noise", "tail"), [(0.02, 0.05), (0.08, 0.2)])
def test_interval_holds_where_narrowness_ends_the_rounds(noise, tail):
    """As the measurement stops: at the first of several looks whose interval is narrow, or in the end."""
    random_source = random.Random(12)
    true, hits, trials = 2.0, 0, 600

    def cost(mean: float) -> float:
        late = 1 + random_source.expovariate(2) if random_source.random() < tail else 1
        return mean * math.exp(random_source.gauss(0, noise)) * late

    for _ in range(trials):
        ratios: list[float] = []
        while True:
            ratios.append(cost(true) / cost(1.0))
            found = median_ratio(ratios)
            if len(ratios) == 60 or (found and (len(ratios) - FEWEST) % 4 == 0 and found.spread < 1.1):
                break
        hits += found.low <= true <= found.high
    assert hits / trials >= 0.95
