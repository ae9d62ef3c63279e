"""What a race saves and how often it names a wrong winner, over synthetic sweeps of eight configurations.

`python -m tests.benchmarks --only race`, some minutes: 1,000 sweeps of each kind. Wrong: the winner is neither the best
of the full sweep nor one that McNemar's exact test can't tell from it on all samples.
"""

from __future__ import annotations

from statistics import fmean, quantiles
from typing import TYPE_CHECKING

import numpy as np

from results.stats.racing import BEATEN_ERROR
from tests.benchmarks.race_simulation import GAPS, SCENARIOS, Outcome, raced, sweeps
from tests.benchmarks.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

SWEEPS = 1000
LARGE = 880  # samples of a larger benchmark, on which smaller differences count
MOST_WRONG, MOST_COMPLETIONS = 0.05, 0.40


def measure(repeats: int = SWEEPS) -> Iterator[Row]:
    """repeats: sweeps of each kind, at least two: a spread is shown."""
    repeats = max(2, repeats)
    everything: list[Outcome] = []
    for number, scenario in enumerate(SCENARIOS):
        outcomes = [raced(full) for full in sweeps(scenario, repeats, seed=number)]
        yield from rows_of(scenario, outcomes)
        everything += outcomes
    yield from rows_of("all of these", everything)
    hardest = "one better by 5, eight models"
    large = [raced(full) for full in sweeps(hardest, max(2, repeats // 5), seed=0, samples=LARGE)]
    yield from rows_of(f"{LARGE} samples, {hardest}", large)
    yield from with_lost_answers(max(2, repeats // 5))


def with_lost_answers(repeats: int) -> Iterator[Row]:
    """Over all kinds of sweeps, so many of each."""
    for name, gaps in GAPS.items():
        outcomes: list[Outcome] = []
        for number, scenario in enumerate(SCENARIOS):
            random = np.random.default_rng(number)
            outcomes += [raced(full, gaps(full, random)) for full in sweeps(scenario, repeats, seed=number)]
        beaten = fmean(outcome.best_beaten for outcome in outcomes)
        undecided = fmean(outcome.undecided for outcome in outcomes)
        yield Row(f"race, {name}: the best called beaten", beaten, "of 1", BEATEN_ERROR)
        yield from rows_of(f"{name}, {undecided:.1f} undecided", outcomes)


def rows_of(scenario: str, outcomes: list[Outcome]) -> list[Row]:
    wrong = fmean(not outcome.right for outcome in outcomes)
    said = (
        f"the best itself in {fmean(outcome.best for outcome in outcomes):.0%}, "
        f"{fmean(outcome.lost_points for outcome in outcomes):.1f} points lost; "
        f"the best called beaten in {fmean(outcome.best_beaten for outcome in outcomes):.1%}; "
        f"agreement {fmean(outcome.agreement for outcome in outcomes):.2f}"
    )
    costs = [outcome.cost for outcome in outcomes]
    spent = (
        f"95 % of sweeps below {quantiles(costs, n=20)[-1]:.2f}; with the winner on all samples "
        f"{fmean(outcome.cost_with_winner for outcome in outcomes):.2f}; stopped as beaten "
        f"{fmean(outcome.beaten for outcome in outcomes):.1f}, as behind "
        f"{fmean(outcome.behind for outcome in outcomes):.1f}"
    )
    return [
        Row(f"race, {scenario}: wrong winners", wrong, "of 1", MOST_WRONG, said),
        Row(f"race, {scenario}: completions", fmean(costs), "of 1", MOST_COMPLETIONS, spent),
    ]
