"""Synthetic sweeps of eight configurations, raced as a sweep would be, beside the full sweep.

A verdict is drawn as in item response theory (a probit model): a configuration solves a sample when its ability, less
the sample's difficulty, plus noise, is above 0. The noise has a part that all quantisations of one model share: what it
happens to know. The spread of difficulties is 1.2 to 2.2 times that of the noise, drawn anew for each sweep, and
so is the best score, 30 to 85 of 100. Different models then agree on 0.7 to 0.85 of the samples, and quantisations of
one model, with 0.85 of the noise shared, on 0.88 to 0.95: some 5 to 12 % of the answers flip, which is what Dutta et
al. (2024), "Accuracy is not all you need", NeurIPS, found for quantised models whose scores hardly differ. The points
that a quantisation costs are the usual ones: none down to five bits, a few at three, many at two.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm

from results.stats.paired import mcnemar_exact
from results.stats.racing import Standing, race

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Verdicts = NDArray[np.bool_]
    Family = tuple[list[float], float]

SAMPLES = 164
CONFIGURATIONS = 8
SHARED = 0.85  # of the noise, by the quantisations of one model
QUANTISATIONS = [
    0.0,
    0.0,
    -0.3,
    -1.0,
    -2.0,
    -4.0,
    -7.0,
    -15.0,
]  # points lost: Q8_0, Q6_K, Q5_K, Q4_K, Q4_0, Q3_K_M, Q3_K_S, Q2_K


def _two_models(random: np.random.Generator) -> list[Family]:
    gap = random.uniform(3, 12)
    points = [0.0, -0.5, -2.0, -6.0]
    return [(points, SHARED), ([point - gap for point in points], SHARED)]


# By name: families of configurations that share noise, each with the points that they are below the best.
SCENARIOS: dict[str, Callable[[np.random.Generator], list[Family]]] = {
    "quantisations of a model": lambda _: [(QUANTISATIONS, SHARED)],
    "two models, four each": _two_models,
    "eight models, far apart": lambda random: [
        ([point], 0.0) for point in random.uniform(-35, 0, CONFIGURATIONS)
    ],
    "eight models, close": lambda _: [([-point], 0.0) for point in (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)],
    "a ladder of one point each": lambda _: [([-float(step) for step in range(CONFIGURATIONS)], SHARED)],
    "one better by 10, seven alike": lambda _: [([0.0], 0.0), ([-10.0] * 7, SHARED)],
    "one better by 10, eight models": lambda _: [([0.0], 0.0), *[([-10.0], 0.0)] * 7],
    "one better by 5, eight models": lambda _: [([0.0], 0.0), *[([-5.0], 0.0)] * 7],
    "all tied, one model": lambda _: [([0.0] * CONFIGURATIONS, SHARED)],
    "all tied, eight models": lambda _: [([0.0], 0.0) for _ in range(CONFIGURATIONS)],
}


def _some_of_all(full: Verdicts, random: np.random.Generator) -> Verdicts:
    return random.random(full.shape) < 0.01


def _many_of_one(full: Verdicts, random: np.random.Generator) -> Verdicts:
    gaps = np.zeros_like(full)
    gaps[random.integers(len(full))] = random.random(full.shape[1]) < 0.3
    return gaps


def _of_the_best_what_it_solves(full: Verdicts, random: np.random.Generator) -> Verdicts:
    gaps = np.zeros_like(full)
    best = full.sum(axis=1).argmax()
    gaps[best] = full[best] & (random.random(full.shape[1]) < 0.03)
    return gaps


def _of_one_what_it_does_not_solve(full: Verdicts, random: np.random.Generator) -> Verdicts:
    gaps = np.zeros_like(full)
    some = random.integers(len(full))
    gaps[some] = ~full[some] & (random.random(full.shape[1]) < 0.05)
    return gaps


# Which answers are lost, at random and not: a slow server loses the long answers, a small context the hard problems.
GAPS: dict[str, Callable[[Verdicts, np.random.Generator], Verdicts]] = {
    "1 % of all answers lost": _some_of_all,
    "30 % of one's answers lost": _many_of_one,
    "3 % lost of what the best solves": _of_the_best_what_it_solves,
    "5 % lost of what one does not solve": _of_one_what_it_does_not_solve,
}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One sweep, raced. Shares are of 1; cost: completions over those of the full sweep; cost_with_winner: where the
    winner goes through all samples in the end. lost_points: of the winner's full score to the best's. right: the
    winner is not shown to be worse than the best. undecided: configurations that lost too many answers; the best is
    that of the others.
    """

    right: bool
    best: bool
    best_beaten: bool
    beaten: int
    behind: int
    undecided: int
    cost: float
    cost_with_winner: float
    lost_points: float
    agreement: float


def sweeps(scenario: str, count: int, seed: int, samples: int = SAMPLES) -> Iterator[Verdicts]:
    """Verdicts by configuration and sample; neither has an order that says anything."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        top = random.uniform(0.30, 0.85)
        spread = random.uniform(1.2, 2.2)
        difficulty = spread * random.normal(size=samples)
        rows = []
        for points, shared in SCENARIOS[scenario](random):
            common = random.normal(size=samples)
            for point in points:
                share = min(0.97, max(0.02, top + point / 100))
                ability = norm.ppf(share) * math.hypot(spread, 1)
                noise = math.sqrt(shared) * common + math.sqrt(1 - shared) * random.normal(size=samples)
                rows.append(ability - difficulty + noise > 0)
        yield random.permutation(np.array(rows))


def raced(full: Verdicts, gaps: Verdicts | None = None) -> Outcome:
    """Run a race as a sweep does: round by round, only those still racing. gaps: answers that are lost."""
    count, total = full.shape
    seen: list[list[bool | None]] = [[] for _ in range(count)]
    rows = full.tolist() if gaps is None else np.where(gaps, None, full.astype(object)).tolist()
    now = race(seen, total)
    while now.next_samples is not None:
        for i in now.racing:
            seen[i] = rows[i][: now.next_samples]
        now = race(seen, total)
    solved = full.sum(axis=1)
    standings = [racer.standing for racer in now.racers]
    best = max(range(count), key=lambda i: (standings[i] is not Standing.UNDECIDED, solved[i]))
    leader = best if now.leader is None else now.leader
    done = sum(map(len, seen))
    is_best = bool(solved[leader] == solved[best])
    return Outcome(
        right=is_best or not distinguishable(full[leader], full[best]),
        best=is_best,
        best_beaten=any(
            standing is Standing.BEATEN
            for standing, score in zip(standings, solved, strict=True)
            if score == solved[best]
        ),
        beaten=standings.count(Standing.BEATEN),
        behind=standings.count(Standing.BEHIND),
        undecided=standings.count(Standing.UNDECIDED),
        cost=done / full.size,
        cost_with_winner=(done + total - len(seen[leader])) / full.size,
        lost_points=100 * float(solved[best] - solved[leader]) / total,
        agreement=float(np.median([np.mean(full[i] == full[j]) for i in range(count) for j in range(i)])),
    )


def distinguishable(first: Verdicts, second: Verdicts) -> bool:
    """Whether the full sweep tells the two apart: McNemar's exact test at 5 %."""
    return mcnemar_exact(int((first & ~second).sum()), int((second & ~first).sum())) < 0.05
