"""A gate fails what is worse, passes what isn't shown to be, and has no verdict where little can be compared."""

from __future__ import annotations

import random

import pytest

from results.compare.comparison import compare_runs
from results.compare.gate import judge
from results.errors import NotComparable
from results.stats.noninferiority import fewest_for_margin, samples_for_margin, shown_non_inferior
from results.stats.paired import MCNEMAR, SIGN_FLIP, compare_fractions, compare_verdicts
from tests.results.recorded_runs import F, P, X, record_run


def gate(folder, first, second, margin=None):
    return judge(compare_runs(record_run(folder, first), record_run(folder, second)), margin)


def test_a_loss_that_is_shown_fails(tmp_path):
    found = gate(tmp_path, [P] * 6, [F] * 6)
    assert not found.passed
    assert "B is worse than A: pass@1 -100.0 points" in found.why


def test_a_loss_that_may_be_chance_passes_and_says_how_large_it_may_be(tmp_path):
    found = gate(tmp_path, [P] * 50, [F] * 5 + [P] * 45)
    assert found.passed
    assert "not shown to be worse" in found.why
    assert any("a loss of up to 21.4 points is not excluded" in note for note in found.notes)


def test_a_gain_passes(tmp_path):
    assert gate(tmp_path, [F] * 60, [P] * 60).notes == ()


def test_too_few_samples_are_told(tmp_path):
    found = gate(tmp_path, [P] * 5, [F] * 5)
    assert found.passed
    assert "5 samples can't show any loss" in found.notes[0]


def test_with_a_margin_the_loss_must_be_shown_to_be_smaller(tmp_path):
    same = [P] * 100
    assert gate(tmp_path, same, same, 5).passed
    refused = gate(tmp_path, same, same, 3)
    assert not refused.passed
    assert "100 samples can't show it even if no answer differs: it takes 125" in refused.notes[0]
    worse = gate(tmp_path, same, [F] * 10 + [P] * 90, 5)
    assert "the loss seen is itself not less than 5 points" in worse.notes[0]
    unsure = gate(tmp_path, same, [F] * 3 + [P] * 97, 5)
    assert (unsure.passed, "samples would show it" in unsure.notes[0]) == (False, True)


def test_several_completions_must_all_be_within_the_margin(tmp_path):
    first, second = [[P, F]] * 120, [[P, F]] * 119 + [[F, F]]
    assert gate(tmp_path, first, second, 5).passed
    assert not gate(tmp_path, first, second, 1).passed
    assert not gate(tmp_path, [[P, P]] * 20, [[F, F]] * 20).passed


@pytest.mark.parametrize("margin", [None, 5])
@pytest.mark.parametrize("lossy_is_first", [True, False])
def test_a_run_that_lost_many_answers_gets_no_verdict(tmp_path, margin, lossy_is_first):
    runs = [[X] * 3 + [P] * 97, [P] * 100]
    with pytest.raises(NotComparable, match="lost 3 of 100 answers"):
        gate(tmp_path, *(runs if lossy_is_first else reversed(runs)), margin)


@pytest.mark.parametrize("test", [MCNEMAR, SIGN_FLIP])
@pytest.mark.parametrize("margin", [0.01, 0.03, 0.05, 0.2])
def test_the_fewest_samples_are_those_that_show_the_margin_when_none_differs(test, margin):
    def shown(samples):
        equal = [True] * samples
        result = compare_verdicts(equal, equal) if test == MCNEMAR else compare_fractions(equal, equal)
        return shown_non_inferior(result, margin)

    fewest = fewest_for_margin(test, margin)
    assert shown(fewest)
    assert not shown(fewest - 1)


def test_the_samples_needed_show_it_about_as_often_as_promised():
    draw = random.Random(3)

    def drawn(samples):
        kinds = draw.choices(((True, False), (False, True), (True, True)), (5, 5, 90), k=samples)
        return compare_verdicts(*map(list, zip(*kinds, strict=True)))

    result = compare_verdicts([True] * 95 + [False] * 5, [True] * 90 + [False] * 5 + [True] * 5)
    needed = samples_for_margin(result, 0.05)
    shown = sum(shown_non_inferior(drawn(needed), 0.05) for _ in range(200))
    assert 130 <= shown <= 185  # 0.8 of 200, give or take
    assert samples_for_margin(compare_verdicts([True] * 9, [False] * 9), 0.05) is None
