"""Intervals and errors equal published or independently computed numbers."""

from __future__ import annotations

import math
import statistics

import pytest

from results.stats.intervals import mean_of_samples, reported_mean, standard_error, wilson_interval


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


def test_the_standard_error_is_the_ordinary_one():
    values = [1.0, 0.0, 0.0, 1.0, 1.0]
    assert standard_error(values) == pytest.approx(statistics.stdev(values) / math.sqrt(len(values)))
    assert standard_error([1.0]) is None


def test_repeating_every_verdict_adds_no_certainty():
    """Ten equal completions of a sample say what one does."""
    values = [1.0, 0.0, 0.0, 1.0, 1.0]
    once, often = mean_of_samples(values, 5), mean_of_samples(values, 50)
    assert (often.low, often.high) == (pytest.approx(once.low), pytest.approx(once.high))
    assert (once.low, once.high) == wilson_interval(3, 5)


def test_verdicts_that_do_not_depend_on_each_other_count_nearly_as_samples():
    """Half of the two completions pass in every other way that there is: as often together as chance has it."""
    values = [1.0, 0.5, 0.5, 0.0] * 25
    metric = mean_of_samples(values, 200)
    assert (metric.low, metric.high) == (pytest.approx(0.43, abs=0.002), pytest.approx(0.57, abs=0.002))
    assert wilson_interval(100, 200) == (pytest.approx(0.431, abs=0.001), pytest.approx(0.569, abs=0.001))


@pytest.mark.parametrize("completions", [1, 2, 5])
def test_one_pass_says_no_more_than_none_that_the_score_is_low(completions):
    """A single pass of 20 x 2 gave 0 to 7.4 %; no pass at all gave 0 to 16.1 %."""
    none, all_ = (mean_of_samples([value] * 20, 20 * completions) for value in (0.0, 1.0))
    assert (none.low, none.high) == (0.0, pytest.approx(0.1611, abs=5e-5))
    assert (all_.low, all_.high) == (pytest.approx(1 - 0.1611, abs=5e-5), 1.0)
    one = mean_of_samples([1 / completions, *[0.0] * 19], 20 * completions)
    assert one.low > 0
    fewest, most = (
        wilson_interval(one.value * 20, 20),
        wilson_interval(one.value * 20 * completions, 20 * completions),
    )
    assert most[1] <= one.high <= fewest[1], "between completions and samples that are all independent"


def test_the_error_of_another_program_is_taken_as_it_is():
    metric = reported_mean(0.5, 0.05, None)
    assert (metric.low, metric.high) == (pytest.approx(0.404, abs=5e-4), pytest.approx(0.596, abs=5e-4))
    low = reported_mean(0.01, 0.01, 100)
    assert low.low > 0, "it is not cut off at 0"
    assert low.high > 0.05, "nor short above"
    assert (reported_mean(1.0, 0.0, 20).low, reported_mean(1.0, 0.0, 20).high) == wilson_interval(20, 20)
    for unknown in (reported_mean(0.5, None, 20), reported_mean(1.0, 0.0, None)):
        assert (unknown.low, unknown.high) == (None, None)
