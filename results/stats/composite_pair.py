"""The difference of two runs' composites, with its bootstrap interval over the samples that both answered.

The same samples are drawn of both runs. For correctness two more samples may be drawn, one that only the first run
solves and one that only the second does, so that equal answers still leave a doubt (Agresti & Min 2005, "Simple
improved confidence intervals for comparing matched proportions").
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from results.scores.composite import Part
from results.stats.composite import DRAWS, UNKNOWN_MOST, any_has, part_sums, shares_of
from results.stats.resampling import SEED, percentiles

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from results.scores.composite import SampleParts

    Floats = NDArray[np.float64]


class CompositePair(msgspec.Struct, frozen=True, kw_only=True):
    """Two composites on the same samples, 0 to 100. difference: second minus first, with its 95 % interval. of: the
    parts that both runs have; is_partial: others have a weight too. parts: the difference of each.
    """

    first: float
    second: float
    difference: float
    low: float
    high: float
    samples: int
    of: tuple[str, ...]
    is_partial: bool = False
    parts: dict[str, float] = {}

    @property
    def shown(self) -> bool:
        """Whether the interval leaves out that they are equal."""
        return self.low > 0 or self.high < 0


def composite_pair(
    first: Sequence[SampleParts],
    second: Sequence[SampleParts],
    weights: Mapping[str, float],
    *,
    draws: int = DRAWS,
) -> CompositePair | None:
    """The difference on the samples that both have; None if they have no sample or no part in common."""
    import numpy as np

    common = {line.task_id for line in first} & {line.task_id for line in second}
    runs = [[line for line in lines if line.task_id in common] for lines in (first, second)]
    of = tuple(name for name in shares_of(weights) if all(any_has(lines, name) for lines in runs))
    if not common or not of:
        return None
    shares = shares_of({name: weights[name] for name in of})
    places = {task_id: at for at, task_id in enumerate(sorted(common))}
    # As columns: each part of the first run, then each part of the second one; two more rows at the end.
    reached, possible = (np.zeros((len(common) + 2, 2 * len(of))) for _ in range(2))
    for run, lines in enumerate(runs):
        for column, name in enumerate(of, run * len(of)):
            sums = part_sums(lines, name, places)
            reached[:-2, column], possible[:-2, column] = sums.reached, sums.possible
            if name == Part.CORRECTNESS:
                reached[-2 + run, column] = 1.0
                possible[-2:, column] = 1.0
    drawn = _values(_drawn(len(common), draws), reached, possible)
    (values,) = _values(np.append(np.ones(len(common)), [0.0, 0.0])[None], reached, possible)
    by_share = np.array([shares[name] for name in of])
    one, other = (float(values[at : at + len(of)] @ by_share) for at in (0, len(of)))
    differences = (drawn[:, len(of) :] - drawn[:, : len(of)]) @ by_share
    kept = differences[np.isfinite(differences)]
    is_told = len(differences) - len(kept) <= UNKNOWN_MOST * len(differences)
    low, high = percentiles(kept, len(common)) if is_told else (-math.inf, math.inf)
    difference = other - one
    return CompositePair(
        first=round(one, 6),
        second=round(other, 6),
        difference=round(difference, 6),
        low=round(max(-100.0, min(low, difference)), 6),
        high=round(min(100.0, max(high, difference)), 6),
        samples=len(common),
        of=of,
        is_partial=len(of) < len(shares_of(weights)),
        parts={name: round(float(values[len(of) + at] - values[at]), 6) for at, name in enumerate(of)},
    )


def _drawn(samples: int, draws: int) -> Floats:
    """How often each sample is drawn, and the two more, a row for each draw."""
    import numpy as np

    width = samples + 2
    chance = np.random.default_rng(SEED)
    return chance.multinomial(samples, np.full(width, 1 / width), draws).astype(float)


def _values(counts: Floats, reached: Floats, possible: Floats) -> Floats:
    """Each part for each row of counts; NaN where none of the samples drawn has the part."""
    import numpy as np

    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = 100.0 * np.minimum(1.0, (counts @ reached) / (counts @ possible))
    return found
