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


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One sweep, raced. Shares are of 1; cost: completions over those of the full sweep; cost_with_winner: where the
    winner goes through all samples in the end. lost_points: of the winner's full score to the best's.
    """

    right: bool
    best: bool
    best_beaten: bool
    beaten: int
    behind: int
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


def raced(full: Verdicts) -> Outcome:
    """Run a race as a sweep does: round by round, only those still racing."""
    count, total = full.shape
    seen: list[list[bool]] = [[] for _ in range(count)]
    rows = full.tolist()
    now = race(seen, total)
    while now.next_samples is not None:
        for i in now.racing:
            seen[i] = rows[i][: now.next_samples]
        now = race(seen, total)
    assert now.leader is not None
    solved = full.sum(axis=1)
    best = int(solved.argmax())
    done = sum(map(len, seen))
    standings = [racer.standing for racer in now.racers]
    is_best = bool(solved[now.leader] == solved[best])
    return Outcome(
        right=is_best or not distinguishable(full[now.leader], full[best]),
        best=is_best,
        best_beaten=any(
            standing is Standing.BEATEN
            for standing, score in zip(standings, solved, strict=True)
            if score == solved[best]
        ),
        beaten=standings.count(Standing.BEATEN),
        behind=standings.count(Standing.BEHIND),
        cost=done / full.size,
        cost_with_winner=(done + total - len(seen[now.leader])) / full.size,
        lost_points=100 * float(solved[best] - solved[now.leader]) / total,
        agreement=float(np.median([np.mean(full[i] == full[j]) for i in range(count) for j in range(i)])),
    )


def distinguishable(first: Verdicts, second: Verdicts) -> bool:
    """Whether the full sweep tells the two apart: McNemar's exact test at 5 %."""
    return mcnemar_exact(int((first & ~second).sum()), int((second & ~first).sum())) < 0.05
