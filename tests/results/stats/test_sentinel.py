"""The tests of a look are exact where they say so, alarm on damage, and by chance as rarely as they promise."""

from __future__ import annotations

import itertools
import math

import pytest
from scipy.stats import binomtest

from results.stats.sentinel import (
    YEAR_ERROR,
    Alarm,
    RunFigures,
    changed_count,
    fewest_changed,
    fewest_lost,
    level_per_test,
    look,
    loss_p,
    power_for_drop,
    samples_for_drop,
    slowdown,
    smallest_drop,
)
from tests.benchmarks.watch_simulation import KINDS, false_years, power

LEVEL = level_per_test()
NOISY = [*KINDS.values()][1]


@pytest.mark.parametrize(("lost", "won"), [(0, 0), (5, 0), (12, 3), (40, 22)])
def test_the_loss_is_mcnemars_one_sided_test(lost, won):
    expected = binomtest(lost, lost + won, 0.5, alternative="greater").pvalue if lost + won else 1.0
    assert loss_p(lost, won) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("flipped", [0, 5, 14, 15, 16, 60, 999, 1000, 1500])
def test_the_fewest_lost_samples_are_where_the_test_turns(flipped):
    fewest = fewest_lost(flipped, LEVEL)
    assert fewest > flipped or loss_p(fewest, flipped - fewest) <= LEVEL
    assert loss_p(fewest - 1, flipped - fewest + 1) > LEVEL


def test_the_promised_number_of_samples_has_the_promised_power_and_one_seen_in_simulation():
    samples = samples_for_drop(0.1, 0.03, LEVEL)
    assert power_for_drop(samples, 0.1, 0.03, LEVEL) >= 0.8 > power_for_drop(samples - 20, 0.1, 0.03, LEVEL)
    assert smallest_drop(samples, 0.03, LEVEL) == pytest.approx(0.1, abs=0.003)
    assert power(NOISY, Alarm.SCORE, looks=100, samples=samples, seed=3, drop=0.1) > 0.7


def test_too_few_samples_show_nothing():
    assert smallest_drop(10, 0.0, LEVEL) is None


def test_of_three_exchangeable_runs_each_stands_alone_in_a_third():
    """Over all orders of any three answers the new run is the odd one equally often: the test is exact."""
    for answers in ((0, 0, 1), (0, 1, 2), (0, 0, 0)):
        found = [changed_count([[a], [b]], [[c]]) for a, b, c in itertools.permutations(answers)]
        assert sum(each.changed for each in found) * 3 == sum(each.telling for each in found)


def test_of_four_exchangeable_runs_a_third_of_the_even_splits_is_along_the_builds():
    orders = list(itertools.permutations((0, 0, 1, 1)))
    found = [changed_count([[a], [b]], [[c], [d]]) for a, b, c, d in orders]
    assert sum(each.telling for each in found) == len(orders)
    assert sum(each.changed for each in found) * 3 == len(orders)
    alone = [changed_count([[a], [b]], [[c], [d]]) for a, b, c, d in itertools.permutations((0, 0, 0, 1))]
    assert {each.telling for each in alone} == {0}


def test_a_count_of_changed_answers_has_the_binomial_p_value():
    same, other = ["a"] * 20, ["b"] * 6 + ["a"] * 14
    found = changed_count([same, same], [other])
    assert (found.telling, found.changed, found.own) == (6, 6, 0)
    assert found.p_value == pytest.approx((1 / 3) ** 6)


def test_fewer_samples_than_said_cannot_show_a_change():
    fewest = fewest_changed(LEVEL)
    for samples, shown in ((fewest - 1, False), (fewest, True)):
        same, other = ["a"] * samples, ["b"] * samples
        assert (changed_count([same, same], [other, other]).p_value <= LEVEL) is shown


def test_one_busy_new_run_is_no_alarm_but_two_that_agree_are():
    """What differs in a single run of the new build may be that run's own noise."""
    same = RunFigures([True] * 100, ["a"] * 100)
    busy = RunFigures([True] * 100, ["b"] * 60 + ["a"] * 40)
    first = look([same, same], [busy], level=LEVEL)
    assert (first.alarms, first.suspicious) == ((), (Alarm.ANSWERS,))
    assert look([same, same], [busy, same], level=LEVEL).alarms == ()
    assert look([same, same], [busy, busy], level=LEVEL).alarms == (Alarm.ANSWERS,)


def test_a_score_that_rises_or_falls_by_chance_is_no_alarm():
    better = RunFigures([True] * 100)
    worse = RunFigures([False] * 20 + [True] * 80)
    assert look([worse], [better], level=LEVEL).alarms == ()
    assert look([better], [worse], level=LEVEL).alarms == (Alarm.SCORE,)
    assert look([better], [RunFigures([False] * 10 + [True] * 90)], level=LEVEL).alarms == ()


def test_a_slowdown_needs_two_runs_a_size_and_more_than_the_spread():
    def at(*speeds):
        return [RunFigures([True], tokens_per_s=speed) for speed in speeds]

    first = look(at(100, 101), at(70), level=LEVEL)
    assert (first.alarms, first.suspicious) == ((), (Alarm.SPEED,))
    assert look(at(100, 101), at(70, 71), level=LEVEL).alarms == (Alarm.SPEED,)
    assert look(at(*[100] * 40), at(96, 96), level=LEVEL).alarms == ()  # clear, but too small
    assert look(at(100, 160), at(100, 100), level=LEVEL).alarms == ()  # within the spread
    assert look(at(100, 101), [RunFigures([True])] * 2, level=LEVEL).speed is None
    assert look(at(100, 101), at(140, 141), level=LEVEL).suspicious == ()


def test_what_would_be_visible_is_what_alarms():
    found = slowdown([100, 100], [90, 90], LEVEL)
    assert found is not None
    below, above = (100 * (1 - found.visible + shift) for shift in (0.002, -0.002))
    assert slowdown([100, 100], [below] * 2, LEVEL).p_value > LEVEL  # type: ignore[union-attr]
    assert slowdown([100, 100], [above] * 2, LEVEL).p_value < LEVEL  # type: ignore[union-attr]


def test_the_levels_of_a_year_add_up_to_its_error():
    assert level_per_test(52) * 3 * 52 == pytest.approx(YEAR_ERROR)


def test_a_year_of_looks_rarely_alarms_by_chance():
    """A level of 5 % for each look fails here; the whole claim takes `python -m tests.benchmarks --only watch`."""
    for number, kind in enumerate(KINDS.values()):
        wrong = false_years(kind, years=6, looks=60, samples=100, seed=number)
        assert math.fsum(wrong.values()) <= 1 / 6
