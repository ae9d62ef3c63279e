"""Whether an acceleration costs anything, from three runs on the same samples: plain, plain again, and accelerated.

The two plain runs show this machine's own noise: greedy decoding is not deterministic when requests are batched. The
difference is that of the accelerated run from the mean of both.

Damage is shown if two tests both reject at 5 %, one-sided, each conditional on what was seen at a sample:

- noise: if the acceleration changes nothing, the three outcomes of a sample are exchangeable, so the accelerated one is
  equally likely to be any of the three. The sum over samples has an exact distribution (a permutation test in blocks of
  three, Fisher 1935). A false alarm in a comparison of plain with plain has therefore a chance of at most 5 %.
- change: the acceleration may change outcomes that plain decoding always repeats, and yet lose nothing. Then each
  difference is as likely with the other sign (`paired.sign_flip_test`, here one-sided).

No loss is shown if the lower end of the difference's 90 % interval is above minus the margin: a test of non-inferiority
at 5 %. The chances are simulated in `tests/benchmarks/certification.py`; docs/certify.md has the figures.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from fractions import Fraction
from statistics import NormalDist, fmean
from typing import TYPE_CHECKING, Any

from results.stats.paired import POWER, mean_interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LEVEL = 0.05
INTERVAL = 1 - 2 * LEVEL  # of the difference: each of its sides is a test at LEVEL
MARGIN_POINTS = 3.0
_Z = NormalDist().inv_cdf(1 - LEVEL)
_MOST_SAMPLES = 1 << 24


class Certified(enum.StrEnum):
    """The verdict on an acceleration."""

    IDENTICAL = "identical"  # every answer is the same, word for word
    WITHIN_NOISE = "within_noise"  # a loss of the margin or more is excluded
    DAMAGING = "damaging"  # a loss is shown
    NOT_DECIDED = "not_decided"


@dataclasses.dataclass(frozen=True)
class ThreeRuns:
    """The outcomes of one sample: how many of `completions` passed in each run."""

    plain: int
    again: int
    accelerated: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Certification:
    """difference: accelerated minus plain, in fractions, with its interval (low, high). damage_p: one-sided.
    odd_accelerated: of `odd` samples on which two runs agree and one doesn't, those where that is the accelerated one:
    a third of them if the acceleration changes nothing; odd_p: the chance of so many or more. samples_needed: that
    decide it in four of five cases if the difference seen is the true one; None if it is decided.
    """

    verdict: Certified
    samples: int
    margin: float
    plain: float
    again: float
    accelerated: float
    difference: float
    low: float
    high: float
    damage_p: float
    odd: int
    odd_accelerated: int
    odd_p: float
    samples_needed: int | None = None


def certify(
    samples: Sequence[ThreeRuns], *, completions: int = 1, margin: float, identical: bool = False
) -> Certification:
    """Judge. completions: of each sample in each run. margin: the loss to exclude, a fraction. identical: whether all
    answers are known to be the same. Raises ValueError for no samples.
    """
    if not samples:
        raise ValueError("no samples")
    differences = [(each.accelerated - (each.plain + each.again) / 2) / completions for each in samples]
    damage_p = max(exchangeable_p(samples), sign_flip_p(samples))
    difference = fmean(differences)
    low, high = _interval(differences, damage_p)
    if identical:
        verdict = Certified.IDENTICAL
    elif damage_p <= LEVEL:
        verdict = Certified.DAMAGING
    elif low > -margin:
        verdict = Certified.WITHIN_NOISE
    else:
        verdict = Certified.NOT_DECIDED
    odd = odd_ones([(each.plain, each.again, each.accelerated) for each in samples])
    return Certification(
        verdict=verdict,
        samples=len(samples),
        margin=margin,
        plain=fmean(each.plain for each in samples) / completions,
        again=fmean(each.again for each in samples) / completions,
        accelerated=fmean(each.accelerated for each in samples) / completions,
        difference=difference,
        low=low,
        high=high,
        damage_p=damage_p,
        odd=odd.samples,
        odd_accelerated=odd.accelerated,
        odd_p=odd.p_value,
        samples_needed=samples_to_decide(differences, margin) if verdict is Certified.NOT_DECIDED else None,
    )


def exchangeable_p(samples: Sequence[ThreeRuns]) -> float:
    """The chance that the accelerated run passes as few or fewer, if each of a sample's three outcomes was as likely to
    be its own. Exact.
    """
    import numpy as np

    moving = [each for each in samples if not each.plain == each.again == each.accelerated]
    least = [min(each.plain, each.again, each.accelerated) for each in moving]
    rises = [
        [value - low for value in (each.plain, each.again, each.accelerated)]
        for each, low in zip(moving, least, strict=True)
    ]
    seen = sum(each[-1] for each in rises)
    chances = np.zeros(sum(max(each) for each in rises) + 1)
    chances[0] = 1.0
    for each in rises:
        chances = sum(_shifted(chances, value) for value in each) / 3
    return min(1.0, float(chances[: seen + 1].sum()))


def sign_flip_p(samples: Sequence[ThreeRuns]) -> float:
    """The chance of a sum of differences as low or lower, if each was as likely with the other sign. Exact."""
    import numpy as np

    halves = [2 * each.accelerated - each.plain - each.again for each in samples]
    sizes = [abs(value) for value in halves if value]
    lost = sum(-value for value in halves if value < 0)  # of the sizes' sum
    chances = np.zeros(sum(sizes) + 1)
    chances[0] = 1.0
    for size in sizes:
        chances = (chances + _shifted(chances, size)) / 2
    return min(1.0, float(chances[lost:].sum()))


@dataclasses.dataclass(frozen=True)
class OddOnes:
    """samples: on which two runs agree and the third does not. accelerated: where that is the accelerated run."""

    samples: int
    accelerated: int

    @property
    def p_value(self) -> float:
        """The chance of so many or more if it is one of three by chance."""
        return _third_or_more(self.accelerated, self.samples)


def odd_ones(values: Iterable[tuple[object, object, object]]) -> OddOnes:
    """Who stands alone. values: of the plain, the repeated and the accelerated run, by sample, to compare as equal."""
    alone = [
        first == again
        for first, again, accelerated in values
        if (first == again) + (first == accelerated) + (again == accelerated) == 1
    ]
    return OddOnes(len(alone), sum(alone))


def samples_to_decide(differences: Sequence[float], margin: float, power: float = POWER) -> int:
    """The number of samples that show damage, or exclude a loss of the margin, with this power, if the difference seen
    is the true one. Normal approximation.
    """
    mean = fmean(differences)
    # As in `mean_interval`: few or no samples that differ are no certainty.
    size = (math.fsum(value * value for value in differences) + 1) / (math.fsum(map(abs, differences)) + 1)
    square = (math.fsum(value * value for value in differences) + 2 * size * size) / (len(differences) + 2)
    deviation = math.sqrt(max(square - mean * mean, 1e-12))

    def decided(number: int) -> bool:
        error = deviation / math.sqrt(number)
        harmless = NormalDist().cdf((mean + margin) / error - _Z)
        harmful = NormalDist().cdf(-mean / error - _Z)
        return harmless + harmful >= power

    low, high = len(differences), 2 * len(differences)
    while not decided(high) and high < _MOST_SAMPLES:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decided(middle) else (middle, high)
    return high


def _interval(differences: Sequence[float], damage_p: float) -> tuple[float, float]:
    """Of the mean, wider by half a sample on each side, because outcomes are whole. An interval that contradicts the
    test of damage is cut off at 0.
    """
    low, high = mean_interval(differences, None, confidence=INTERVAL)
    half = 1 / (2 * len(differences))
    low, high = max(-1.0, low - half), min(1.0, high + half)
    if damage_p <= LEVEL:
        return low, min(high, 0.0)
    return low, high


def _shifted(chances: Any, by: int) -> Any:
    """An array of NumPy, which is imported where it is used."""
    import numpy as np

    return np.concatenate([np.zeros(by), chances[: len(chances) - by]]) if by else chances


def _third_or_more(count: int, total: int) -> float:
    tail = sum(math.comb(total, each) * 2 ** (total - each) for each in range(count, total + 1))
    return min(1.0, float(Fraction(tail, 3**total)))
