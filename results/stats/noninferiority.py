"""Whether a second run is at most so much worse than the first, and how many samples that takes.

A second run is shown to be non-inferior if the lower end of the 95 % interval of the difference (second minus first) is
above minus the margin: a one-sided test at 2.5 %, as Committee for Medicinal Products (2005), "Guideline on the choice
of the non-inferiority margin", asks for. The margin must be chosen before looking at the result.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

from results.stats.intervals import CONFIDENCE
from results.stats.paired import MCNEMAR, POWER

if TYPE_CHECKING:
    from results.stats.paired import PairedResult

_LEVEL = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


def shown_non_inferior(result: PairedResult, margin: float) -> bool:
    """Whether the second run is shown to be at most `margin` (a fraction) worse."""
    return result.low > -margin


def samples_for_margin(result: PairedResult, margin: float, power: float = POWER) -> int | None:
    """The number of samples that would show it, with this power, if the difference seen is the true one.

    None if the difference seen is itself a loss of at least the margin: then no number would. The variance is that of
    the interval, so that few or no samples that differ don't count as certainty.
    """
    room = margin + result.difference
    if room <= 0:
        return None
    of_one = result.samples * ((result.high - result.low) / (2 * _LEVEL)) ** 2  # variance of one sample
    needed = math.ceil(of_one * ((_LEVEL + NormalDist().inv_cdf(power)) / room) ** 2)
    return needed if result.difference > 0 else max(needed, fewest_for_margin(result.test, margin))


def fewest_for_margin(test: str, margin: float) -> int:
    """The fewest samples that can show it: with fewer, it isn't shown even if no sample differs.

    Tango's interval of no differing sample is z²/(n + z²) on each side, Bonett & Price's z √2 / (n + 2).
    """
    if test == MCNEMAR:
        return math.floor(_LEVEL**2 * (1 - margin) / margin) + 1
    return max(1, math.floor(_LEVEL * math.sqrt(2) / margin - 2) + 1)
