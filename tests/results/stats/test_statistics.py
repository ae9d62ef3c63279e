"""Intervals and errors equal published or independently computed numbers."""

from __future__ import annotations

import math
import statistics

import pytest

from results.stats.intervals import clustered_stderr, wilson_interval


@pytest.mark.parametrize(
    ("passed", "total", "low", "high"),
    [
        # Newcombe (1998), "Two-sided confidence intervals for the single proportion", Table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval_equals_the_published_numbers(passed, total, low, high):
    assert wilson_interval(passed, total) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_wilson_interval_is_where_the_score_test_turns():
    """Its definition: at each end p0, |p - p0| is z standard errors of p0."""
    for passed, total, confidence, z in ((3, 10, 0.95, 1.959964), (160, 164, 0.99, 2.575829)):
        for end in wilson_interval(passed, total, confidence):
            distance = abs(passed / total - end) / math.sqrt(end * (1 - end) / total)
            assert distance == pytest.approx(z, abs=1e-5)


def test_wilson_interval_at_the_ends_and_its_symmetry():
    low, high = wilson_interval(0, 164)
    assert low == 0.0
    assert wilson_interval(164, 164) == (pytest.approx(1 - high), 1.0)


@pytest.mark.parametrize(
    ("passed", "total", "confidence"), [(1, 0, 0.95), (3, 2, 0.95), (-1, 2, 0.95), (1, 2, 1.0)]
)
def test_no_interval_without_data(passed, total, confidence):
    with pytest.raises(ValueError, match="no interval"):
        wilson_interval(passed, total, confidence)


def test_clustered_stderr_of_single_values_is_the_ordinary_one():
    values = [1.0, 0.0, 0.0, 1.0, 1.0]
    expected = statistics.stdev(values) / math.sqrt(len(values))
    assert clustered_stderr([[value] for value in values]) == pytest.approx(expected)


def test_repeating_every_value_adds_no_certainty():
    """Ten equal completions of a sample say what one does."""
    values = [1.0, 0.0, 0.0, 1.0, 1.0]
    repeated = clustered_stderr([[value] * 10 for value in values])
    assert repeated == pytest.approx(clustered_stderr([[value] for value in values]))


def test_clustered_stderr_by_hand():
    # mean 0.6; cluster sums of deviations: 0.8, -1.2, 0.4; √((0.64+1.44+0.16) * 3/2) / 5
    assert clustered_stderr([[1, 1], [0, 0], [1]]) == pytest.approx(math.sqrt(2.24 * 1.5) / 5)


def test_clustered_stderr_is_unknown_for_one_cluster():
    assert clustered_stderr([[1.0, 0.0], []]) is None
