"""What is shown to be as good as the best: the error over several looks, lost answers, the samples that it takes."""

from __future__ import annotations

from statistics import fmean

import pytest

from results.stats.as_good import ERROR, fewest_to_show, level_of_look, one_sided_p, samples_to_show, select
from results.stats.noninferiority import fewest_for_margin
from results.stats.paired import MCNEMAR, tango_interval
from tests.benchmarks.choice_simulation import WORSE, Scenario, shown_at_once, wrongly_shown

MARGIN = 0.02


def answers(solved: int, of: int, *, lost: int = 0, first: int = 0) -> dict[str, bool | None]:
    """The first ones lost, the following solved."""
    found: dict[str, bool | None] = {str(n): n < lost + solved for n in range(first, of)}
    return found | dict.fromkeys(map(str, range(lost)))


def test_all_looks_together_spend_no_more_than_the_error():
    assert sum(level_of_look(look) for look in range(60)) == pytest.approx(ERROR)
    assert sum(level_of_look(look) for look in range(9)) < ERROR


def test_the_test_is_the_interval_of_the_gate():
    """One-sided at 2.5 % is what `compare --fail-if-worse` reads from the 95 % interval."""
    for only_own, only_other, total in ((3, 9, 400), (0, 0, 188), (0, 0, 189), (40, 42, 1500)):
        low, _ = tango_interval(only_other, only_own, total)
        assert (one_sided_p(only_own, only_other, total, MARGIN) < 0.025) == (low > -MARGIN)
    assert fewest_to_show(MARGIN, rivals=1, error=0.025 / 0.8) == fewest_for_margin(MCNEMAR, MARGIN)


def test_not_shown_worse_is_not_as_good():
    """Twenty samples solved alike show nothing; a thousand do."""
    few, many = (select([answers(of // 2, of)] * 2, MARGIN) for of in (20, 1000))
    assert [each.shown for each in few.standings] == [False, False]
    assert few.standings[0].samples_needed is not None
    assert few.standings[0].samples_needed > 150
    assert [each.shown for each in many.standings] == [True, True]


def test_it_must_be_settled_against_every_other():
    """The second is as good as the third, which is worse than the first."""
    found = select([answers(900, 1000), answers(700, 1000), answers(700, 1000)], MARGIN)
    assert [each.shown for each in found.standings] == [True, False, False]
    assert (found.standings[1].hardest, found.standings[2].hardest) == (0, 0)
    assert found.standings[1].samples_needed is None  # the loss seen is itself more than the margin


def test_lost_answers_count_against_what_is_to_be_shown():
    """Forty lost ones among those that all would have solved: neither is shown to keep up with the other by them."""
    whole, lossy = answers(500, 1000), answers(460, 1000, lost=40)
    found = select([whole, lossy], MARGIN)
    assert not found.standings[1].shown
    assert found.standings[1].pair is not None
    assert found.standings[1].pair.only_other == 40
    assert found.standings[0].shown
    hard = dict(lossy) | dict.fromkeys(map(str, range(500, 540)))  # the whole one failed these
    assert not select([whole, hard], MARGIN).standings[0].shown


def test_a_settled_pair_stays_settled_and_others_use_the_samples_that_both_answered():
    """One that is far behind answers only the first samples; the others go on without it."""
    early = select([answers(190, 200), answers(100, 200)], MARGIN, look=0)
    assert early.settled == {(0, 1)}
    late = select([answers(500, 1000), answers(100, 200)], MARGIN, look=2, settled=early.settled)
    assert late.standings[0].shown
    assert late.standings[0].pair is not None
    assert late.standings[0].pair.samples == 200


def test_one_alone_has_nothing_to_be_compared_with():
    assert select([answers(1, 3)], MARGIN).standings[0].hardest is None
    none = select([{}, answers(1, 3)], MARGIN)
    assert not any(each.shown for each in none.standings)


@pytest.mark.parametrize(
    ("discordance", "rivals", "about"), [(0.10, 1, 1700), (0.10, 3, 2340), (0.05, 1, 840), (0.0, 1, 151)]
)
def test_samples_that_the_margin_takes(discordance, rivals, about):
    assert samples_to_show(MARGIN, rivals=rivals, discordance=discordance) == pytest.approx(about, rel=0.02)
    assert samples_to_show(MARGIN, rivals=rivals, discordance=discordance, difference=-0.02) is None


@pytest.mark.parametrize("name", [name for name in WORSE if "six" not in name])
def test_none_is_shown_that_is_worse_by_the_margin(name):
    """Greedy looks at four sizes; `python -m tests.benchmarks --only choice` has 2,000 of each kind."""
    few = WORSE[name]
    small = Scenario(few.losses, min(few.samples, 400), few.shared, few.score, few.easy)
    wrong = fmean(wrongly_shown(small, 150, seed=3))
    assert wrong <= ERROR + 3 * (ERROR * (1 - ERROR) / 150) ** 0.5


def test_as_many_samples_as_said_show_it_in_four_of_five_cases():
    needed = samples_to_show(MARGIN, rivals=1, discordance=0.073)  # what the simulation has
    assert fmean(shown_at_once(Scenario((0, 0), needed or 0), 300, seed=1)) == pytest.approx(0.8, abs=0.07)
