"""The verdict on an acceleration: exact where it says so, wrong as rarely as it promises, and it sees real damage."""

from __future__ import annotations

import itertools

import pytest

from results.stats.certification import (
    Certified,
    ThreeRuns,
    certify,
    exchangeable_p,
    odd_ones,
    samples_to_decide,
    sign_flip_p,
)
from results.stats.paired import sign_flip_test
from tests.benchmarks.certify_simulation import ALIKE, HARMLESS, Kind, verdicts

SAME, LOST, WON = ThreeRuns(1, 1, 1), ThreeRuns(1, 1, 0), ThreeRuns(0, 0, 1)


def judged(*samples, **how):
    return certify(samples, margin=0.03, **how)


@pytest.mark.parametrize(
    "samples",
    [
        [(1, 1, 0), (1, 0, 0), (0, 1, 1), (1, 1, 1)],
        [(1, 1, 0)] * 4 + [(0, 0, 1)],
        [(3, 1, 0), (2, 2, 1), (0, 3, 3), (1, 0, 2)],
    ],
)
def test_the_test_of_noise_counts_all_ways_to_choose_who_is_accelerated(samples):
    seen = sum(each[2] for each in samples)
    sums = [sum(choice) for choice in itertools.product(*samples)]
    expected = sum(total <= seen for total in sums) / len(sums)
    assert exchangeable_p([ThreeRuns(*each) for each in samples]) == pytest.approx(expected)


def test_the_test_of_change_is_one_side_of_the_sign_flip_test():
    samples = [LOST] * 6 + [WON] * 2 + [ThreeRuns(1, 0, 0), ThreeRuns(0, 1, 1), SAME]
    differences = [each.accelerated - (each.plain + each.again) / 2 for each in samples]
    assert 2 * sign_flip_p(samples) == pytest.approx(sign_flip_test(differences))
    assert sign_flip_p([LOST] * 5) == pytest.approx(1 / 32)


def test_no_loss_is_no_damage_and_a_few_losses_are_no_proof():
    assert judged(*[SAME] * 5).verdict is Certified.NOT_DECIDED
    assert judged(*[SAME] * 160).verdict is Certified.WITHIN_NOISE
    assert judged(*[SAME] * 5, identical=True).verdict is Certified.IDENTICAL
    assert judged(*[WON] * 20, *[SAME] * 80).verdict is Certified.WITHIN_NOISE
    three = judged(*[LOST] * 3, *[SAME] * 97)
    assert three.verdict is Certified.NOT_DECIDED
    assert three.samples_needed > 100
    five = judged(*[LOST] * 5, *[SAME] * 95)
    assert five.verdict is Certified.DAMAGING
    assert five.low < five.difference == pytest.approx(-0.05)
    assert five.high <= 0


def test_noise_that_plain_decoding_has_itself_is_no_damage():
    """Ten samples lost against the first run, but as many against the second and between the two."""
    noisy = [*[(1, 0, 0)] * 10, *[(0, 1, 1)] * 10, *[(0, 1, 0)] * 10, *[(1, 0, 1)] * 10]
    found = judged(*[ThreeRuns(*each) for each in noisy], *[SAME] * 60)
    assert found.verdict is Certified.NOT_DECIDED
    assert found.damage_p > 0.4


def test_who_stands_alone_is_counted_and_chance_is_a_third():
    values = [("a", "a", "b"), ("a", "b", "b"), ("a", "b", "a"), ("a", "b", "c"), ("a", "a", "a")]
    found = odd_ones(values)
    assert (found.samples, found.accelerated) == (3, 1)
    assert found.p_value == pytest.approx(1 - (2 / 3) ** 3)
    assert odd_ones([("a", "a", "b")] * 10).p_value < 1e-4


def test_the_samples_that_would_decide_do_so_in_four_of_five_cases():
    differences = [-0.0] * 94 + [-1.0] * 3 + [1.0] * 3
    needed = samples_to_decide(differences, 0.03)
    assert 300 < needed < 700
    kind = Kind(churn=0.06)
    shares = {number: verdicts(kind, samples=number, times=150, seed=5) for number in (needed // 3, needed)}
    undecided = {number: found[Certified.NOT_DECIDED] / 150 for number, found in shares.items()}
    assert undecided[needed] < 0.28 < undecided[needed // 3]


@pytest.mark.parametrize("name", ALIKE)
def test_an_acceleration_that_changes_nothing_is_called_damaging_in_at_most_5_percent(name):
    found = verdicts(ALIKE[name], samples=200, times=200, seed=3)
    assert found[Certified.DAMAGING] / 200 <= 0.05 + 0.035  # two standard errors


@pytest.mark.parametrize("name", HARMLESS)
def test_nor_one_that_changes_verdicts_as_often_up_as_down(name):
    found = verdicts(HARMLESS[name], samples=200, times=200, seed=4)
    assert found[Certified.DAMAGING] / 200 <= 0.05 + 0.035


def test_3_points_on_500_samples_are_seen():
    found = verdicts(Kind(flips=0.02, churn=0.02, loss=0.03), samples=500, times=100, seed=6)
    assert found[Certified.DAMAGING] >= 75
    assert found[Certified.WITHIN_NOISE] <= 8
