"""How far one figure's order says another's: Spearman's rank correlation, with an interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist, fmean
from typing import TYPE_CHECKING

from results.stats.intervals import CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Sequence

FEWEST = 5  # pairs, or units that they are of: with fewer an interval says nothing


@dataclass(frozen=True)
class RankCorrelation:
    """rho: from -1 to 1; None if there are fewer than two pairs, or one figure is always the same. low, high: its 95 %
    interval; None with fewer than `FEWEST` pairs or units.
    """

    pairs: int
    rho: float | None
    low: float | None = None
    high: float | None = None

    @property
    def shown(self) -> bool:
        """Whether it is shown that the second figure grows with the first."""
        return self.low is not None and self.low > 0


def rank_correlation(
    first: Sequence[float], second: Sequence[float], *, units: int | None = None
) -> RankCorrelation:
    """Spearman's rho, with mean ranks for ties. Raises ValueError for unequal numbers.

    units: of so many things the pairs are, if several of one thing depend on each other. The interval then counts each
    thing once, as if its other pairs said nothing new, so that it is rather too wide than too narrow. None: no pair
    depends on another.

    The interval is Fisher's z with the standard error √((1 + rho²/2) / (n - 3)): Bonett & Wright (2000), "Sample size
    requirements for estimating Pearson, Kendall and Spearman correlations", Psychometrika 65. At rho of 1 and -1, where
    z is infinite, rho is taken as that of one swapped pair of neighbours.
    """
    if len(first) != len(second):
        raise ValueError(f"no pairs of {len(first)} and {len(second)} values")
    pairs = len(first)
    if pairs < 2 or len(set(first)) < 2 or len(set(second)) < 2:
        return RankCorrelation(pairs, None)
    rho = _correlation(_ranks(first), _ranks(second))
    counted = pairs if units is None else min(pairs, units)
    if counted < FEWEST:
        return RankCorrelation(pairs, rho)
    one_swap = 1 - 12 / (counted * (counted**2 - 1))
    inner = max(-one_swap, min(one_swap, rho))
    error = math.sqrt((1 + inner**2 / 2) / (counted - 3))
    reach = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * error
    low, high = (math.tanh(math.atanh(inner) + sign * reach) for sign in (-1, 1))
    return RankCorrelation(pairs, rho, min(low, rho), max(high, rho))


def _ranks(values: Sequence[float]) -> list[float]:
    ordered = sorted(values)
    first = {value: at for at, value in reversed(list(enumerate(ordered, 1)))}
    return [first[value] + (ordered.count(value) - 1) / 2 for value in values]


def _correlation(first: Sequence[float], second: Sequence[float]) -> float:
    means = fmean(first), fmean(second)
    deviations = [(one - means[0], other - means[1]) for one, other in zip(first, second, strict=True)]
    product = math.fsum(one * other for one, other in deviations)
    squares = [math.fsum(each[side] ** 2 for each in deviations) for side in (0, 1)]
    return max(-1.0, min(1.0, product / math.sqrt(squares[0] * squares[1])))
