"""Spearman's correlation is SciPy's, and its interval holds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from results.stats.rank_correlation import FEWEST, rank_correlation


@pytest.mark.parametrize("seed", range(5))
def test_it_is_that_of_scipy_also_with_ties(seed):
    random = np.random.default_rng(seed)
    first, second = random.integers(0, 5, 12).tolist(), random.integers(0, 4, 12).tolist()
    assert rank_correlation(first, second).rho == pytest.approx(spearmanr(first, second).statistic)


def test_too_few_or_constant_figures_say_nothing():
    assert rank_correlation([1], [1]).rho is None
    assert rank_correlation([1, 2, 3], [4, 4, 4]).rho is None
    few = rank_correlation([1, 2, 3, 4], [1, 2, 3, 4])
    assert (few.rho, few.low, few.shown) == (1.0, None, False)


def test_a_perfect_order_has_an_interval_too():
    found = rank_correlation(range(FEWEST + 1), range(FEWEST + 1))
    assert found.rho == found.high == pytest.approx(1)
    assert 0 < found.low < 1
    assert found.shown
    assert not rank_correlation(range(8), [3, 1, 4, 1, 5, 9, 2, 6]).shown


def test_the_interval_covers_the_truth_in_most_cases():
    """Of normal figures with a Pearson correlation r, Spearman's is 6/pi asin(r/2)."""
    random = np.random.default_rng(0)
    r, pairs, hits = 0.7, 12, 0
    truth = 6 / np.pi * np.arcsin(r / 2)
    for _ in range(400):
        one, noise = random.standard_normal((2, pairs))
        found = rank_correlation(one.tolist(), (r * one + np.sqrt(1 - r**2) * noise).tolist())
        hits += found.low <= truth <= found.high
    assert hits / 400 > 0.9


def test_units_of_several_pairs_count_once():
    first, second = [*range(12)], [*range(1, 12), 0]
    each = rank_correlation(first, second)
    by_unit = rank_correlation(first, second, units=6)
    assert by_unit.rho == each.rho
    assert by_unit.high - by_unit.low > each.high - each.low
    assert rank_correlation(first, second, units=FEWEST - 1).low is None
    assert rank_correlation(first, second, units=99) == each
