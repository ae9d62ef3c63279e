"""How often the intervals hold and the paired test is wrong, where the truth is known since it is drawn from.

A sample has a chance to be passed by a completion. The chances of all samples are drawn from a beta distribution: with
correlation 0 they are all the same, with 0.9 nearly each is 0 or 1, so that the completions of a sample nearly agree.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import binom

from results.stats.intervals import mean_of_samples
from results.stats.paired import compare_fractions
from results.stats.pass_at_k import pass_at, pass_at_k

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

SAMPLES = (20, 50, 164, 500)
# Of completions a sample, k of pass@k.
OF_SEVERAL = ((2, 1), (2, 2), (5, 1), (5, 2), (5, 5))
CORRELATIONS = (0.0, 0.2, 0.5, 0.9)
PAIRED_SAMPLES = (2, 5, 10, 20, 50, 164)
PAIRED_COMPLETIONS = (2, 5, 10)
TRUTHS = tuple(round(0.02 * step, 2) for step in range(1, 50))  # 0.02 to 0.98


@dataclasses.dataclass(frozen=True)
class Coverage:
    """Shares of intervals that held the truth: the mean over TRUTHS, the lowest of a single one, and which."""

    mean: float
    worst: float
    worst_at: float


def of_one(samples: int) -> Coverage:
    """Of pass@1, one completion a sample: exactly, over all counts that may pass."""
    passed = np.arange(samples + 1)
    intervals = [pass_at([(1, 1)] * n + [(1, 0)] * (samples - n), 1) for n in passed.tolist()]
    ends = np.array([(metric.low, metric.high) for metric in intervals if metric is not None])
    return _coverage(
        float(binom.pmf(passed, samples, truth) @ ((ends[:, 0] <= truth) & (truth <= ends[:, 1])))
        for truth in TRUTHS
    )


def of_several(
    samples: int, completions: int, k: int, correlation: float, *, repeats: int, seed: int
) -> Coverage:
    """Of pass@k of several completions a sample, over so many runs of each true pass@k in TRUTHS."""
    random = np.random.default_rng(seed)
    values = [pass_at_k(completions, passed, k) for passed in range(completions + 1)]
    shares = []
    for truth in TRUTHS:
        chance = _chance_for(truth, k, correlation)
        held = 0
        for _ in range(repeats):
            passed = random.binomial(completions, _chances(random, chance, correlation, samples))
            metric = mean_of_samples([values[n] for n in passed.tolist()], samples * completions)
            assert metric.low is not None
            assert metric.high is not None
            held += metric.low <= truth <= metric.high
        shares.append(held / repeats)
    return _coverage(shares)


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Shares of comparisons: a difference shown where there is none, and the true difference outside its interval, with
    the highest share of a single pair of models.
    """

    false_positives: float
    missed: float
    most_missed: float


def of_pairs(samples: int, completions: int, *, repeats: int, seed: int) -> Pairs:
    """Of pass@1 of two models, of which one is better by so many points, of many kinds; repeats: of each kind."""
    random = np.random.default_rng(seed)
    false, alike, missed = 0, 0, []
    for first, second, correlation in _models():
        outside = 0
        for _ in range(repeats):
            one, other = (
                random.binomial(completions, chances) / completions
                for chances in _paired_chances(random, first, second, correlation, samples)
            )
            result = compare_fractions(one.tolist(), other.tolist())
            outside += not result.low - 1e-9 <= second - first <= result.high + 1e-9
            if first == second:
                alike += 1
                false += result.shown
        missed.append(outside / repeats)
    return Pairs(false / alike, math.fsum(missed) / len(missed), max(missed))


def _models() -> Iterator[tuple[float, float, float]]:
    """Scores of two models, and how much the completions of a sample agree."""
    for score in (0.03, 0.1, 0.3, 0.5, 0.8, 0.97):
        for difference in (0.0, 0.0, 0.05, -0.1, 0.3):
            if 0.01 < score + difference < 0.99:
                for correlation in CORRELATIONS[1:]:
                    yield score, score + difference, correlation


def _paired_chances(
    random: np.random.Generator, first: float, second: float, correlation: float, samples: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each sample for both: what one model finds hard is hard for the other on three samples of four."""
    from scipy.special import betaincinv

    level = random.random(samples)
    same = random.random(samples) < 0.75
    spread = (1 - correlation) / correlation
    one, other = (
        betaincinv(score * spread, (1 - score) * spread, np.clip(where, 1e-12, 1 - 1e-12))
        for score, where in ((first, level), (second, np.where(same, level, random.random(samples))))
    )
    return one, other


def _chances(
    random: np.random.Generator, chance: float, correlation: float, samples: int
) -> NDArray[np.float64]:
    if not correlation:
        return np.full(samples, chance)
    spread = (1 - correlation) / correlation
    return random.beta(chance * spread, (1 - chance) * spread, samples)


@functools.lru_cache(maxsize=10_000)
def _chance_for(truth: float, k: int, correlation: float) -> float:
    """The mean chance of a completion with which pass@k is `truth`."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _pass_at_k(middle, k, correlation) < truth else (low, middle)
    return (low + high) / 2


def _pass_at_k(chance: float, k: int, correlation: float) -> float:
    """1 less the chance that k completions of a sample all fail: a moment of the beta distribution."""
    if not correlation:
        return 1 - (1 - chance) ** k
    spread = (1 - correlation) / correlation
    return 1 - math.prod(((1 - chance) * spread + i) / (spread + i) for i in range(k))


def _coverage(shares: Iterator[float] | Sequence[float]) -> Coverage:
    shares = list(shares)
    worst = min(shares)
    return Coverage(math.fsum(shares) / len(shares), worst, TRUTHS[shares.index(worst)])
