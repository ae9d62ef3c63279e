"""A race keeps what it promises: valid evidence at any time, a right winner, few completions, no memory of its own."""

from __future__ import annotations

import itertools
import math
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.stats.paired import mcnemar_exact
from results.stats.racing import (
    BEATEN_ERROR,
    FIRST_ROUND,
    Standing,
    _capital,
    chance_of_mean,
    chance_to_be_better,
    evidence_against,
    race,
    rounds,
)
from tests.benchmarks.race_simulation import GAPS, SCENARIOS, raced, sweeps

pytestmark = pytest.mark.slow


def run(full):
    """Race it as a sweep does; every state on the way."""
    total = len(full[0])
    seen = [[] for _ in full]
    states = [race(seen, total)]
    while states[-1].next_samples is not None:
        for i in states[-1].racing:
            seen[i] = full[i][: states[-1].next_samples]
        states.append(race(seen, total))
    return states


def test_rounds_grow_to_the_total_without_a_tiny_last_one():
    assert rounds(164) == (21, 32, 48, 72, 108, 164)
    assert rounds(21) == (21,)
    assert rounds(5) == (5,)
    assert rounds(1055) == (132, 198, 297, 446, 669, 1055)
    with pytest.raises(ValueError, match="needs samples"):
        rounds(0)


@pytest.mark.parametrize(
    "population", [(1, 1, -1, -1, 0, 0), (1, -1, 0, 0, 0, 0), (0, 0, 0, 0), (1, 1, 1, -1, -1, -1)]
)
def test_the_capital_against_an_equal_is_a_fair_game(population):
    """Over all orders of a finite population, exactly: 1 on average, whenever one looks."""
    orders = sorted(set(itertools.permutations(population)))
    paths = np.array([_capital(np.array(order, dtype=float), len(order)) for order in orders])
    assert paths.mean(axis=0) == pytest.approx(np.ones(len(population)))
    assert paths.std() > 0 or set(population) == {0}


@given(st.lists(st.sampled_from([-1, 0, 1]), min_size=1, max_size=7))
@settings(max_examples=40)
def test_evidence_against_one_that_is_not_worse_is_rare(population):
    """Ville's inequality, over all orders: the most evidence at any time is 1/p in a share p of them at most."""
    if sum(population) > 0:
        return
    orders = sorted(set(itertools.permutations(population)))
    most = [
        evidence_against(0, [[x < 0 for x in order], [x > 0 for x in order]], len(order))[0]
        for order in orders
    ]
    for bound in (1.5, 2, 4, 8):
        assert fmean(value >= bound for value in most) <= 1 / bound


def test_certainty_is_evidence_without_end():
    """A lead larger than what is left, as counting says."""
    own, rival = [False] * 60, [True] * 60
    assert evidence_against(0, [own, rival], 100)[0] > 1e100
    assert evidence_against(1, [own, rival], 100)[0] < 1


def test_the_best_of_equals_is_rarely_called_beaten():
    """Looking after every sample, against seven others: at most 5 %."""
    random = np.random.default_rng(3)
    wrong = 0
    for _ in range(150):
        base = random.random(164) < 0.6
        table = [base ^ (random.random(164) < 0.15) for _ in range(8)]
        best = int(np.argmax([row.sum() for row in table]))
        wrong += evidence_against(best, [row.tolist() for row in table], 164)[0] >= 1 / BEATEN_ERROR
    assert wrong / 150 <= BEATEN_ERROR


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 30), st.integers(1, 60))
@settings(max_examples=50, deadline=None)
def test_the_predictive_probability_is_a_martingale(wins, losses, same, left):
    """What it will be after one more sample is, on average, what it is: looking often does not change it."""
    seen = wins + losses + same
    total = seen + left
    shares = [(count + 1) / (seen + 3) for count in (wins, losses, same)]
    after = (
        chance_to_be_better(wins + 1, losses, seen + 1, total),
        chance_to_be_better(wins, losses + 1, seen + 1, total),
        chance_to_be_better(wins, losses, seen + 1, total),
    )
    expected = math.fsum(share * chance for share, chance in zip(shares, after, strict=True))
    assert chance_to_be_better(wins, losses, seen, total) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(
    ("wins", "losses"), [(0, 0), (5, 0), (6, 0), (12, 3), (13, 3), (3, 13), (30, 14), (30, 16)]
)
def test_with_all_samples_seen_it_is_what_the_test_says(wins, losses):
    better = wins > losses and mcnemar_exact(wins, losses) < 0.05
    assert chance_to_be_better(wins, losses, 100, 100) == pytest.approx(float(better))


def fractions(generator, means, count):
    """Values from 0 to 1 of each configuration, which agree as far as samples are hard or easy for all."""
    hard = generator.normal(0, 0.2, count)
    return [np.clip(mean + hard + generator.normal(0, 0.2, count), 0, 1).round(3).tolist() for mean in means]


def test_fractions_are_raced_by_the_same_bets():
    """The best of four sets of fractions is beaten in at most 5 % of races; sixty are seen here."""
    generator = np.random.default_rng(12)
    beaten = 0
    for _ in range(60):
        rows = fractions(generator, [0.5, 0.5, 0.48, 0.3], 150)
        best = max(range(4), key=lambda i: sum(rows[i]))
        state = run(rows)[-1]
        assert state.over
        beaten += state.racers[best].standing is Standing.BEATEN
        assert state.racers[3].standing in {Standing.BEATEN, Standing.BEHIND}
        assert state.racers[3].samples < 150
    assert beaten <= 6


def test_verdicts_as_fractions_make_the_same_race():
    verdicts = [[True, False] * 40, [True] * 60 + [False] * 20, [False] * 60 + [None] + [True] * 19]
    numbers = [[None if value is None else float(value) for value in row] for row in verdicts]
    assert race(numbers, 80) == race(verdicts, 80)


def test_the_chance_of_a_mean_is_that_of_the_test_at_the_end():
    """With all samples seen it is certain; before that, equal ones hardly ever get ahead, and clear leads stay."""
    lead = [0.25, 0.5, 0.0, 0.25] * 20
    assert chance_of_mean(lead, 80) == 1.0
    assert chance_of_mean([-each for each in lead], 80) == 0.0
    assert chance_of_mean(lead[:40], 80) > 0.99
    assert chance_of_mean([0.25, -0.25] * 36, 80) < 0.01
    assert 0.2 < chance_of_mean([0.25, -0.2] * 10, 400) < 0.8
    assert chance_of_mean([], 80) == 0.0


def test_a_clear_winner_stops_the_others_early():
    random = np.random.default_rng(0)
    winner = (random.random(164) < 0.9).tolist()
    others = [(random.random(164) < 0.3).tolist() for _ in range(3)]
    last = run([*others, winner])[-1]
    assert last.leader == 3
    assert [racer.by for racer in last.racers] == [3, 3, 3, None]
    assert {racer.standing for racer in last.racers[:3]} <= {Standing.BEATEN, Standing.BEHIND}
    assert max(racer.samples for racer in last.racers) < 60


def test_shown_beaten_is_told_from_merely_behind():
    """Twenty samples that only the rival solves are evidence; three are not, though they will not be made up for."""
    good, bad, behind = [True] * 20, [False] * 20, [True] * 16 + [False] * 4
    now = race([good, bad, behind], 30)
    assert [racer.standing for racer in now.racers] == [Standing.RACING, Standing.BEATEN, Standing.BEHIND]
    assert now.racers[1].evidence >= 20 > now.racers[2].evidence
    assert now.over


def test_of_equal_ones_the_first_leads_and_the_race_ends():
    row = [True, False] * 82
    last = run([row, row, row])[-1]
    assert (last.leader, last.over) == (0, True)
    assert all(racer.standing is not Standing.BEATEN for racer in last.racers)


def test_an_unfinished_round_waits_and_what_was_stopped_stays_stopped():
    """The state follows from the verdicts alone, so a sweep that was killed goes on as it would have."""
    full = next(sweeps("eight models, far apart", 1, seed=2)).tolist()
    states = run(full)
    for before, after in itertools.pairwise(states):
        for old, new in zip(before.racers, after.racers, strict=True):
            assert old.standing is Standing.RACING or (old.standing, old.by) == (new.standing, new.by)
    for state, following in itertools.pairwise(states):
        seen = [full[i][: racer.samples] for i, racer in enumerate(state.racers)]
        first, *_ = state.racing
        seen[first] = full[first][: state.next_samples]
        partly = race(seen, 164)
        if len(state.racing) > 1:
            assert (partly.next_samples, partly.racing, partly.leader) == (
                state.next_samples,
                state.racing,
                state.leader,
            )
        assert following.racers[first].samples == state.next_samples


def test_those_that_a_failed_one_had_stopped_are_judged_without_it():
    good, poor, worse = [True] * 32, [True, True, True, False] * 8, [True, False] * 16
    before = race([good, poor, worse], 164)
    assert before.racing == (0,)
    assert {racer.by for racer in before.racers[1:]} == {0}
    after = race([good, worse, poor], 164, withdrawn={0})
    assert after.racers[0].standing is Standing.WITHDRAWN
    assert after.leader == 2
    alone = race([worse, poor], 164)
    assert [(racer.standing, racer.evidence) for racer in after.racers[1:]] == [
        (racer.standing, racer.evidence) for racer in alone.racers
    ]
    assert race([good, poor], 164, withdrawn={0, 1}).leader is None


def test_bad_input_is_refused():
    for table in ([], [[True]], [[True] * 3, [True]]):
        with pytest.raises(ValueError, match="no race"):
            race(table, 2)


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_any_race_ends_with_one_winner(data):
    total = data.draw(st.integers(1, 70))
    row = st.lists(st.booleans(), min_size=total, max_size=total)
    full = data.draw(st.lists(row, min_size=2, max_size=4))
    last = run(full)[-1]
    assert last.leader in last.racing
    assert all(racer.samples >= min(total, FIRST_ROUND) for racer in last.racers)
    best = max(sum(full[i][: racer.samples]) for i, racer in enumerate(last.racers) if i in last.racing)
    assert last.racers[last.leader].solved == best


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_lost_answer_is_never_evidence(data):
    """Whatever is lost, and however it is filled in later: the error that holds without gaps holds with them."""
    total = data.draw(st.integers(1, 40))
    count = data.draw(st.integers(2, 4))
    full = [data.draw(st.lists(st.booleans(), min_size=total, max_size=total)) for _ in range(count)]
    gaps = [data.draw(st.lists(st.booleans(), min_size=total, max_size=total)) for _ in range(count)]
    seen = [
        [None if gap else verdict for verdict, gap in zip(row, lost, strict=True)]
        for row, lost in zip(full, gaps, strict=True)
    ]
    for position in range(count):
        most = evidence_against(position, full, total)[0]
        assert evidence_against(position, seen, total)[0] <= most * (1 + 1e-9)


def test_of_two_identical_ones_the_one_that_lost_answers_is_not_beaten():
    """Ten of twenty-one lost to the infrastructure: it is not decided, and the other one is the winner of nobody."""
    whole = [True] * 19 + [False] * 2
    for lost in (3, 10):
        now = race([whole, [None] * lost + whole[lost:]], 164)
        assert now.racers[1].lost == lost
        assert now.racers[1].standing is (Standing.RACING if lost == 3 else Standing.UNDECIDED)
        assert now.racers[1].evidence <= 1
        assert now.leader == 0
        assert now.over is (lost == 10)


def test_one_that_lost_answers_is_beaten_all_the_same_where_these_could_not_help_it():
    good, bad = [True] * 40, [None, *[False] * 39]
    assert race([good, bad], 60).racers[1].standing is Standing.BEATEN


def test_what_lost_too_many_of_its_answers_is_no_winner():
    """Two are few of 164, so it raced on; they are too many of the 21 that it went through."""
    lossy, bad = [None, None, *[True] * 19], [False] * 21
    now = race([lossy, bad], 164)
    assert now.over
    assert [racer.standing for racer in now.racers] == [Standing.UNDECIDED, Standing.BEATEN]
    assert now.leader is None
    assert race([[None] * 21, [None] * 21], 164).leader is None


def test_the_leader_is_whoever_solved_most_of_what_it_answered():
    first, second = [None, *[True] * 15, *[False] * 5], [True] * 15 + [False] * 6
    assert race([second, first], 164).leader == 1


@pytest.fixture(scope="module")
def simulated():
    """Twenty sweeps of each kind; `python -m tests.benchmarks --only race` has a thousand."""
    return {
        scenario: [raced(full) for full in sweeps(scenario, 20, seed=number)]
        for number, scenario in enumerate(SCENARIOS)
    }


def test_the_winner_is_the_best_or_not_distinguishable_from_it(simulated):
    outcomes = [outcome for some in simulated.values() for outcome in some]
    assert fmean(outcome.right for outcome in outcomes) >= 0.95
    assert fmean(outcome.best_beaten for outcome in outcomes) <= 0.05
    assert fmean(outcome.lost_points for outcome in outcomes) < 1.5


def test_a_race_costs_two_fifths_of_the_full_sweep_at_most(simulated):
    """In the mean of every kind of sweep, also where all are tied."""
    costs = {scenario: fmean(outcome.cost for outcome in some) for scenario, some in simulated.items()}
    assert {scenario: cost for scenario, cost in costs.items() if cost > 0.40} == {}


@pytest.mark.parametrize("gaps", GAPS)
def test_lost_answers_make_nobody_beaten(gaps):
    """At random or not: the best of the sweep is called beaten in 5 % at most, and so is whoever wins wrongly."""
    random = np.random.default_rng(5)
    outcomes = [
        raced(full, GAPS[gaps](full, random))
        for scenario in ("two models, four each", "all tied, one model", "eight models, far apart")
        for full in sweeps(scenario, 12, seed=7)
    ]
    assert fmean(outcome.best_beaten for outcome in outcomes) <= 0.05
    assert fmean(outcome.right for outcome in outcomes) >= 0.95


def test_the_synthetic_sweeps_are_as_real_ones(simulated):
    """Quantisations of one model agree on more samples than different models do."""
    agreement = {
        scenario: fmean(outcome.agreement for outcome in some) for scenario, some in simulated.items()
    }
    assert 0.88 < agreement["quantisations of a model"] < 0.95
    assert 0.70 < agreement["eight models, far apart"] < 0.85
