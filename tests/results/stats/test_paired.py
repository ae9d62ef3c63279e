"""Paired statistics equal published numbers, statsmodels' and what follows from their definition."""

from __future__ import annotations

import math
import random
from statistics import fmean, stdev

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, permutation_test
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from results.stats.paired import (
    compare_fractions,
    compare_verdicts,
    holm,
    mcnemar_exact,
    mean_interval,
    odds_ratio,
    samples_for_mcnemar,
    samples_for_mean,
    sign_flip_test,
    tango_interval,
    with_holm,
)


def verdicts(both: int, only_first: int, only_second: int, neither: int) -> tuple[list[bool], list[bool]]:
    pairs = [(True, True)] * both + [(True, False)] * only_first
    pairs += [(False, True)] * only_second + [(False, False)] * neither
    return [first for first, _ in pairs], [second for _, second in pairs]


def test_a_published_table_gives_the_published_numbers():
    """Complete response before and after consolidation therapy (Cavo et al. 2012), as Fagerland, Lydersen & Laake
    compute it in "Statistical analysis of contingency tables" (2017), chapter 8.
    """
    result = compare_verdicts(*verdicts(59, 6, 16, 80))
    assert result.p_value == pytest.approx(0.052479, abs=5e-7)
    assert (result.low, result.high) == (pytest.approx(0.0054, abs=5e-5), pytest.approx(0.1240, abs=5e-5))
    assert result.difference == pytest.approx(0.0621, abs=5e-5)
    assert (result.first, result.second) == (65 / 161, 75 / 161)
    assert not result.shown


def test_a_small_published_table():
    """Airway hyper-responsiveness before and after stem cell transplantation (Bentur et al. 2009), same chapter."""
    result = compare_verdicts(*verdicts(1, 1, 7, 12))
    assert result.p_value == pytest.approx(0.0703, abs=5e-5)
    assert (result.low, result.high) == (pytest.approx(0.026, abs=5e-4), pytest.approx(0.517, abs=5e-4))


def test_the_odds_ratio_of_a_published_table():
    """Ezra et al. (2010), 25 and 2 differing pairs, same chapter: 12.5, exact interval 3.1169 to 108.8892."""
    assert odds_ratio(2, 25) == (
        12.5,
        pytest.approx(3.1169, abs=5e-5),
        pytest.approx(108.8892, abs=5e-5),
    )


@pytest.mark.parametrize(("only_first", "only_second"), [(0, 1), (5, 12), (12, 5), (30, 31), (0, 40), (7, 7)])
def test_mcnemar_and_odds_are_those_of_statsmodels(only_first, only_second):
    table = [[50, only_first], [only_second, 20]]
    assert mcnemar_exact(only_first, only_second) == pytest.approx(mcnemar(table, exact=True).pvalue)
    low, high = proportion_confint(only_second, only_first + only_second, method="beta")
    _, odds_low, odds_high = odds_ratio(only_first, only_second)
    assert odds_low == pytest.approx(low / (1 - low))
    assert odds_high == (pytest.approx(high / (1 - high)) if only_first else None)


def test_without_a_differing_sample_nothing_is_shown():
    """The interval says how small a difference could have stayed unseen: z²/(n + z²), as Tango gives for it."""
    result = compare_verdicts(*verdicts(3, 0, 0, 61))
    unseen = 1.959964**2 / (64 + 1.959964**2)
    assert (result.low, result.high) == (pytest.approx(-unseen, abs=1e-6), pytest.approx(unseen, abs=1e-6))
    assert (result.p_value, result.odds_ratio, result.cohens_g, result.samples_needed) == (
        1,
        None,
        None,
        None,
    )


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 200))
def test_tango_interval_is_where_the_score_test_turns(only_first, only_second, same):
    """At each end the constrained test is at its level; the interval turns around with the runs."""
    total = only_first + only_second + same
    if not total:
        return
    low, high = tango_interval(only_first, only_second, total)
    mirrored = tango_interval(only_second, only_first, total)
    assert (-high, -low) == (pytest.approx(mirrored[0]), pytest.approx(mirrored[1]))
    estimate = (only_second - only_first) / total
    assert -1 <= low <= estimate <= high <= 1
    for end in (low, high):
        if abs(end) < 0.999:  # at ±1 the end is that of the range
            assert abs(_score(only_first, only_second, total, end)) == pytest.approx(1.959964, abs=1e-4)


def _score(only_first: int, only_second: int, total: int, difference: float) -> float:
    """Tango's statistic with the constrained likelihood maximised by search rather than by its formula."""

    def likelihood(share: float) -> float:
        """share: of only_first; the other two follow from it."""
        counts = (only_first, only_second, total - only_first - only_second)
        shares = (share, share + difference, 1 - 2 * share - difference)
        return sum(n * math.log(max(p, 1e-300)) for n, p in zip(counts, shares, strict=True))

    low, high = max(0.0, -difference), (1 - difference) / 2
    golden = (math.sqrt(5) - 1) / 2
    for _ in range(120):
        left, right = high - golden * (high - low), low + golden * (high - low)
        low, high = (low, right) if likelihood(left) > likelihood(right) else (left, high)
    share = (low + high) / 2
    variance = total * (2 * share + difference * (1 - difference))
    return (only_second - only_first - total * difference) / math.sqrt(variance)


@settings(max_examples=30)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_that_of_statsmodels(p_values):
    assert holm(p_values) == pytest.approx(list(multipletests(p_values, method="holm")[1]))


def test_holm_keeps_the_order_and_is_not_fooled_by_many_tests():
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    alone = compare_verdicts(*verdicts(50, 1, 9, 40))
    assert alone.shown
    assert not any(result.shown for result in with_holm([alone] * 3))


@pytest.mark.parametrize(
    ("only_first", "only_second", "needed"),
    [
        # Published calculations with Connor's formula: discordance 0.50 of 0.45 and 0.05, and 0.45 with odds of 2.
        (0.05, 0.45, 23),
        (0.30, 0.15, 155),
    ],
)
def test_samples_for_mcnemar_are_the_published_numbers(only_first, only_second, needed):
    assert samples_for_mcnemar(only_first, only_second) == needed
    assert samples_for_mcnemar(only_second, only_first) == needed


@pytest.mark.parametrize(("only_first", "only_second"), [(0.03, 0.07), (0.02, 0.10), (0.1, 0.2)])
def test_that_many_samples_give_about_that_power(only_first, only_second):
    """The exact power of the exact test: a little below 80 %, since it is stricter than its level."""
    needed = samples_for_mcnemar(only_first, only_second)
    share = only_second / (only_first + only_second)
    power = 0.0
    for differing in range(needed + 1):
        chance = binom.pmf(differing, needed, only_first + only_second)
        if chance > 1e-9:
            rejected = [k for k in range(differing + 1) if mcnemar_exact(differing - k, k) < 0.05]
            power += chance * binom.pmf(rejected, differing, share).sum()
    assert 0.72 < power < 0.81


def test_fewer_samples_than_can_show_anything_are_never_enough():
    assert samples_for_mean([0.5, 0.6]) == 6
    assert not compare_fractions([0.0] * 5, [1.0] * 5).shown
    assert compare_fractions([0.0] * 6, [1.0] * 6).shown


def test_samples_for_a_mean_give_that_power_in_simulation():
    chance = random.Random(0)
    values = [chance.choice([-0.5, 0, 0, 0.25, 0.5]) for _ in range(60)]
    needed = samples_for_mean(values)
    assert needed == math.ceil(((1.959964 + 0.841621) * stdev(values) / fmean(values)) ** 2)
    found = 0
    for _ in range(400):
        drawn = [chance.choice(values) for _ in range(needed)]
        found += abs(fmean(drawn)) > 1.959964 * stdev(drawn) / math.sqrt(needed)
    assert found / 400 == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize(
    ("differences", "p_value"),
    [
        ([0.5, 0.6], 0.5),
        ([0.2], 1.0),
        ([0.0] * 9, 1.0),
        ([0.25] * 12, 2 / 2**12),
        ([1.0] * 6, 2 / 2**6),
        ([0.5, 0.5, -0.5, 0.25, 0.0], 10 / 16),
    ],
)
def test_each_choice_of_signs_is_as_likely(differences, p_value):
    """Few samples show nothing, however large their differences are: two samples have four choices of signs."""
    assert sign_flip_test(differences) == pytest.approx(p_value)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 10).flatmap(
        lambda n: st.lists(st.integers(-n, n).map(lambda c: c / n), min_size=2, max_size=9)
    )
)
def test_the_sign_flip_test_is_that_of_scipy(differences):
    """As SciPy lists all choices of signs. Its sums are rounded, since equal ones differ in their last bits."""
    listed = permutation_test(
        (np.array(differences),),
        lambda values, axis: np.round(np.sum(values, axis=axis), 9),
        permutation_type="samples",
        n_resamples=np.inf,
    )
    assert sign_flip_test(differences) == pytest.approx(listed.pvalue)


def test_the_sign_flip_test_of_verdicts_is_mcnemars():
    first, second = verdicts(20, 3, 11, 20)
    differences = [float(b) - float(a) for a, b in zip(first, second, strict=True)]
    assert sign_flip_test(differences) == pytest.approx(mcnemar_exact(3, 11))


def test_the_sign_flip_test_finds_a_difference_of_equal_runs_in_five_of_a_hundred():
    """The error of the first kind, of fractions as token F1 has them: 5 % is promised, 400 tables are seen."""
    generator = np.random.default_rng(8)
    found = 0
    for _ in range(400):
        one, other = generator.beta(0.4, 0.4, size=(2, 25)).round(2)
        found += compare_fractions(one.tolist(), other.tolist()).p_value < 0.05
    assert 6 <= found <= 34


def test_many_samples_with_many_values_have_their_signs_drawn():
    """Counting all of them would take minutes; the same samples always give the same p-value."""
    generator = np.random.default_rng(9)
    one, other = generator.random((2, 4000))
    result = compare_fractions(one.tolist(), (other + 0.01).tolist())
    assert result.test == "sign-flip test, 5,000 drawn"
    z = np.sum(other + 0.01 - one) / np.sqrt(np.sum((other + 0.01 - one) ** 2))
    assert result.p_value == pytest.approx(math.erfc(z / math.sqrt(2)), abs=0.03)
    assert compare_fractions(one.tolist(), (other + 0.01).tolist()) == result


def test_the_sign_flip_test_agrees_with_theory_where_that_holds():
    """Many samples, an ordinary distribution, no common unit: the p-value of the same z."""
    chance = random.Random(1)
    values = [min(1.0, max(-1.0, chance.gauss(0.05, 0.3))) for _ in range(400)]
    z = fmean(values) / (stdev(values) / 20)
    assert sign_flip_test(values) == pytest.approx(math.erfc(z / math.sqrt(2)), abs=0.005)
    result = compare_fractions([0.0] * 400, values)
    assert (result.low, result.high) == (
        pytest.approx(fmean(values) - 1.96 * stdev(values) / 20, abs=0.002),
        pytest.approx(fmean(values) + 1.96 * stdev(values) / 20, abs=0.002),
    )


def test_many_tests_leave_a_clear_difference_shown():
    """A p-value that can't get below some limit would not survive the correction for a large table."""
    clear = compare_fractions([0.2] * 60, [0.9] * 60)
    assert 0 < clear.p_value < 1e-15
    assert with_holm([clear, *[compare_fractions([0.5], [0.5])] * 5000])[0].shown


def test_the_interval_of_verdicts_is_the_published_one():
    """Bonett & Price (2012): (f21 - f12) / (n + 2) ± z √((f12 + f21 + 2 - (f21 - f12)²/(n + 2)) / (n + 2)²)."""
    first, second = verdicts(59, 6, 16, 80)
    differences = [float(b) - float(a) for a, b in zip(first, second, strict=True)]
    middle = 10 / 163
    half = 1.959964 * math.sqrt((24 / 163 - middle**2) / 163)
    low, high = mean_interval(differences, p_value=0.04)
    assert (low, high) == (pytest.approx(middle - half), pytest.approx(middle + half))
    assert mean_interval(differences, p_value=0.06) == (0.0, high), "the test decides"


@settings(max_examples=200, deadline=None)
@given(
    st.integers(1, 6).flatmap(
        lambda n: st.lists(st.integers(-n, n).map(lambda c: c / n), min_size=1, max_size=40)
    )
)
def test_the_interval_never_contradicts_the_test(differences):
    result = compare_fractions([0.0] * len(differences), differences)
    mirrored = compare_fractions(differences, [0.0] * len(differences))
    assert -1 <= result.low <= result.high <= 1
    assert result.low < result.high
    if result.shown:
        assert result.low >= 0 if result.difference > 0 else result.high <= 0
    else:
        assert result.low <= 0 <= result.high
    assert (mirrored.low, mirrored.high) == (pytest.approx(-result.high), pytest.approx(-result.low))


def test_completions_of_one_sample_are_no_new_samples():
    """Ten completions each that agree within the sample say what one does; counted singly, p would be tiny."""
    first, second = verdicts(20, 2, 7, 20)
    clustered = compare_fractions([float(x) for x in first], [float(x) for x in second])
    assert clustered.p_value == pytest.approx(compare_verdicts(first, second).p_value)
    assert mcnemar_exact(20, 70) < 1e-6
    assert clustered.p_value > 0.05


@pytest.mark.parametrize("step", [-1.0, 0.0, 0.25, 1.0])
def test_where_all_differences_are_equal_the_interval_has_a_width(step):
    result = compare_fractions([0.0] * 12, [step] * 12)
    assert result.low < result.high
    assert result.low <= step <= result.high or abs(step) == 1.0


def test_no_pairs_is_an_error():
    for first, second in (([], []), ([True], [True, False])):
        with pytest.raises(ValueError, match="no pairs"):
            compare_verdicts(first, second)
    with pytest.raises(ValueError, match="no interval"):
        tango_interval(3, 3, 5)
