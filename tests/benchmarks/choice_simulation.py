"""Synthetic choices: several configurations answer the same samples, and somebody looks again until one is shown.

Verdicts are drawn as in `race_simulation`: ability less the sample's difficulty, plus noise that quantisations of one
model share. The hardest case for the guarantee is a truth at the margin itself: as many as possible are worse than the
best by just that, so each of them shown is an error. Whoever looks is as greedy as can be: looks at a part first, then
at all samples, then at twice and four times as many, and takes whatever is shown at any of these looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm

from results.stats.as_good import Counts, select_counts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

MARGIN = 0.02
LOOKS = (0.125, 1.0, 2.0, 4.0)  # of the planned samples


@dataclass(frozen=True)
class Scenario:
    """losses: of each configuration against the best, in points. shared: of the noise (0 for different models).
    score: the best one's, 0 to 1. easy: this share of the samples is of another benchmark, with a higher score.
    """

    losses: tuple[float, ...]
    samples: int
    shared: float = 0.9
    score: float = 0.6
    easy: float = 0.0


WORSE = {
    "two, one worse by 2 points, 200 samples": Scenario((0, 2), 200),
    "two, one worse by 2 points, 1,500 samples": Scenario((0, 2), 1500),
    "two, score 97, 300 samples": Scenario((0, 2), 300, score=0.97),
    "two different models, 400 samples": Scenario((0, 2), 400, shared=0.0),
    "four, three worse by 2 points": Scenario((0, 2, 2, 2), 800),
    "six, five worse by 2 points": Scenario((0, 2, 2, 2, 2, 2), 1500),
    "six different models, five worse by 2 points": Scenario((0, 2, 2, 2, 2, 2), 1500, shared=0.0),
    "four, two benchmarks": Scenario((0, 2, 2, 2), 800, easy=0.5),
    "a ladder: 0, 1, 2, 3, 8, 20": Scenario((0, 1, 2, 3, 8, 20), 1500),
}
EQUAL = {
    "two alike, as many samples as are said to be needed": (0.0, 0.0),
    "four alike, as many samples as are said to be needed": (0.0, 0.0, 0.0, 0.0),
}


def wrongly_shown(scenario: Scenario, repeats: int, seed: int) -> Iterator[bool]:
    """For each repeat, whether one that is worse by the margin was shown at any of the looks."""
    bad = {i for i, loss in enumerate(scenario.losses) if loss >= 100 * MARGIN}
    for shown in _looked(scenario, LOOKS, repeats, seed):
        yield bool(bad & set().union(*shown))


def shown_at_once(scenario: Scenario, repeats: int, seed: int) -> Iterator[float]:
    """For each repeat, the share of configurations that are shown at the planned look alone."""
    for (shown,) in _looked(scenario, (1.0,), repeats, seed):
        yield len(shown) / len(scenario.losses)


def discordance(scenario: Scenario, seed: int) -> float:
    """The share of samples that the first two solve differently, from many."""
    many = Scenario(scenario.losses, 200_000, scenario.shared, scenario.score, scenario.easy)
    verdicts = _verdicts(many, many.samples, np.random.default_rng(seed))
    return float((verdicts[0] != verdicts[1]).mean())


def _looked(
    scenario: Scenario, looks: tuple[float, ...], repeats: int, seed: int
) -> Iterator[list[frozenset[int]]]:
    random = np.random.default_rng(seed)
    most = round(max(looks) * scenario.samples)
    count = len(scenario.losses)
    for _ in range(repeats):
        verdicts = _verdicts(scenario, most, random)
        settled: frozenset[tuple[int, int]] = frozenset()
        found = []
        for number, share in enumerate(looks):
            seen = verdicts[:, : round(share * scenario.samples)]
            look = number if len(looks) > 1 else 1
            selection = select_counts(_counts(seen), count, MARGIN, look=look, settled=settled)
            settled = selection.settled
            found.append(frozenset(i for i, each in enumerate(selection.standings) if each.shown))
        yield found


def _counts(seen: NDArray[np.bool_]) -> dict[tuple[int, int], Counts]:
    solved = seen.astype(np.int64)
    only = solved @ (1 - solved).T
    count, samples = seen.shape
    return {
        (own, other): Counts(int(only[own, other]), int(only[other, own]), samples)
        for own in range(count)
        for other in range(count)
        if own != other
    }


def _verdicts(scenario: Scenario, samples: int, random: np.random.Generator) -> NDArray[np.bool_]:
    """Each of the given true score: the ability is the one that gives it, over all difficulties."""
    spread = 1.6
    difficulty = spread * random.standard_normal(samples)
    shared = np.sqrt(scenario.shared) * random.standard_normal(samples)
    own = np.sqrt(1 - scenario.shared) * random.standard_normal((len(scenario.losses), samples))
    easier = random.random(samples) < scenario.easy
    rows = []
    for loss, noise in zip(scenario.losses, own, strict=True):
        target = np.where(easier, min(scenario.score + 0.25, 0.99), scenario.score) - loss / 100
        ability = norm.ppf(target) * np.sqrt(1 + spread**2)
        rows.append(ability - difficulty + shared + noise > 0)
    return np.array(rows)
