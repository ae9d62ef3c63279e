"""Intervals hold the truth in 95 %, and equal runs are called different in 5 % at most: in small, by simulation.

`python -m tests.benchmarks --only statistics` has more of each.
"""

from __future__ import annotations

import pytest

from tests.benchmarks.statistics_simulation import PAIRED_SAMPLES, SAMPLES, of_one, of_pairs, of_several

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("samples", SAMPLES)
def test_the_interval_of_a_score_holds_in_95_percent(samples):
    found = of_one(samples)
    assert 0.935 <= found.mean <= 0.965
    assert found.worst > 0.92


@pytest.mark.parametrize("samples", [20, 164])
@pytest.mark.parametrize(
    ("completions", "k", "correlation"), [(2, 1, 0.0), (2, 1, 0.5), (5, 1, 0.2), (5, 2, 0.5), (5, 5, 0.0)]
)
def test_so_does_that_of_several_completions(samples, completions, k, correlation):
    """However much the completions of a sample agree, and near 0 and 1 too: 1.96 standard errors gave 91 %."""
    found = of_several(samples, completions, k, correlation, repeats=60, seed=1)
    assert 0.935 <= found.mean <= 0.965
    assert found.worst > 0.8


@pytest.mark.parametrize("samples", PAIRED_SAMPLES)
def test_equal_runs_are_rarely_called_different(samples):
    """A bootstrap did so in 13.8 % with five samples."""
    found = of_pairs(samples, 5, repeats=8, seed=2)
    assert found.false_positives <= 0.055
    assert found.missed <= 0.065
