"""Which of several are shown to be as good as the best of them, within a margin, however often one looks.

Each is compared with every other on the samples that both answered. For a pair, the test asks whether the first solves
fewer than the second by the margin or more, over all samples of all benchmarks together (Tango's score test, one-sided,
see `results.stats.paired`). A pair is settled once that is rejected; a configuration is shown to be as good once it is
settled against every other one. The truly best is one of them, whichever it is, so no best has to be chosen from the
data first: Hsu (1984), "Constrained simultaneous confidence intervals for multiple comparisons with the best", Annals
of Statistics 12.

The guarantee: with probability 95 % nothing is shown as good that is truly worse than the best by the margin or more,
so any choice among those shown, by speed or memory, keeps it. One that is worse is shown only if its pair with the
truly best is settled. At most all but one are worse, so each pair gets the level divided by their number less one
(Bonferroni): this holds however the answers depend on each other.

Looking again after more samples is part of the plan. The 5 % are spent over the looks: a first glance at a part of the
samples (4 % of it, enough to settle pairs that are far apart), the planned look (80 %), and for each further look half
of what is left. Lan & DeMets (1983), "Discrete sequential boundaries for clinical trials", Biometrika 70. A settled
pair stays settled.

Samples belong to benchmarks, and pairs are made within a benchmark. The test leaves what benchmarks differ by in the
variance, which can only make it more careful: fixed shares of benchmarks vary less than free ones.

Lost answers count against what is to be shown: one's own as not solved, the other's as solved. So the reason for the
loss can't matter.

Simulation shows the error and the power: `python -m tests.benchmarks --only choice`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

from results.stats.paired import POWER, tango_statistic

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    Answers = Mapping[str, bool | None]  # by sample: solved or not; None if the answer was lost

ERROR = 0.05  # the chance that one is shown as good that isn't
USUAL_DISCORDANCE = (
    0.10  # share of answers that two quantisations of a model solve differently, if nothing is known
)
_GLANCE, _PLANNED = 0.04, 0.80  # shares of the error


class Counts(NamedTuple):
    """How many of the samples that both answered were solved by this one alone, and by the other alone."""

    only_own: int
    only_other: int
    samples: int


@dataclass(frozen=True)
class Pair:
    """One compared with another on the samples that both answered. only_own, only_other: solved by this one alone.

    p_value: for "it solves fewer than the other by the margin or more", one-sided. low: the lower end of the one-sided
    interval of the difference (own minus other, a fraction) at the level of the look.
    """

    samples: int
    only_own: int
    only_other: int
    p_value: float
    low: float
    settled: bool

    @property
    def difference(self) -> float:
        return (self.only_own - self.only_other) / self.samples if self.samples else 0.0

    @property
    def discordance(self) -> float:
        """The share of samples that one of them alone solved, from one more of each so that none is not certain."""
        return (self.only_own + self.only_other + 2) / (self.samples + 2)


@dataclass(frozen=True)
class Standing:
    """What is shown of one. hardest: the position of the one that is, or was, hardest to settle; None if it is alone.

    pair: with that one. samples_needed: how many samples would show it with 80 % power at the next look, if the
    differences seen are the true ones; None if it is shown, or if a difference seen is itself a loss of the margin.
    """

    shown: bool
    hardest: int | None = None
    pair: Pair | None = None
    samples_needed: int | None = None


@dataclass(frozen=True)
class Selection:
    """standings: in the given order. settled: pairs of positions (own, other). level: of each pair at this look. lows:
    of each pair, the lower end of its interval at that level.
    """

    standings: tuple[Standing, ...]
    settled: frozenset[tuple[int, int]]
    level: float
    lows: Mapping[tuple[int, int], float]


def level_of_look(look: int, error: float = ERROR) -> float:
    """The share of the error that a look may spend. look: 0 for the glance, 1 for the planned one, then 2, 3, ..."""
    if look < 2:
        return error * (_PLANNED if look else _GLANCE)
    return math.ldexp(error * (1 - _GLANCE - _PLANNED), 1 - look)  # half of it, then a quarter, ...


def select(
    answers: Sequence[Answers],
    margin: float,
    *,
    look: int = 1,
    settled: Collection[tuple[int, int]] = (),
    error: float = ERROR,
) -> Selection:
    """What the answers so far show. margin: a fraction, chosen before looking. settled: pairs from earlier looks."""
    count = len(answers)
    counts = {
        (own, other): _counts(answers[own], answers[other])
        for own in range(count)
        for other in range(count)
        if own != other
    }
    return select_counts(counts, count, margin, look=look, settled=settled, error=error)


def select_counts(
    counts: Mapping[tuple[int, int], Counts],
    count: int,
    margin: float,
    *,
    look: int = 1,
    settled: Collection[tuple[int, int]] = (),
    error: float = ERROR,
) -> Selection:
    """The same from the counts of each ordered pair of `count` configurations."""
    level = level_of_look(look, error) / max(count - 1, 1)
    following = level_of_look(look + 1, error) / max(count - 1, 1)
    pairs = {key: _pair(each, margin, level, known=key in settled) for key, each in counts.items()}
    return Selection(
        standings=tuple(_standing(own, pairs, margin, following) for own in range(count)),
        settled=frozenset(key for key, pair in pairs.items() if pair.settled),
        level=level,
        lows={key: pair.low for key, pair in pairs.items()},
    )


def samples_to_show(
    margin: float, *, rivals: int, discordance: float, difference: float = 0.0, look: int = 1,
    power: float = POWER, error: float = ERROR,
) -> int | None:  # fmt: skip
    """How many samples show one to be as good as each of its rivals, with this power for each. difference: the true
    one, own minus rival. None if it is itself a loss of the margin.
    """
    return _needed(margin, level_of_look(look, error) / max(rivals, 1), discordance, difference, power)


def fewest_to_show(margin: float, *, rivals: int, look: int = 1, error: float = ERROR) -> int:
    """The fewest samples that can show it: with fewer, it isn't shown even if no answer differs."""
    z = NormalDist().inv_cdf(1 - level_of_look(look, error) / max(rivals, 1))
    return math.floor(z**2 * (1 - margin) / margin) + 1


def _standing(own: int, pairs: Mapping[tuple[int, int], Pair], margin: float, following: float) -> Standing:
    mine = {other: pair for (one, other), pair in pairs.items() if one == own}
    if not mine:
        return Standing(shown=True)
    hardest = max(mine, key=lambda other: (not mine[other].settled, mine[other].p_value, -mine[other].low))
    open_pairs = [pair for pair in mine.values() if not pair.settled]
    needed = [
        _needed(margin, following, pair.discordance, pair.difference, POWER, seen=pair.samples)
        for pair in open_pairs
    ]
    known = [each for each in needed if each is not None]
    return Standing(
        shown=not open_pairs,
        hardest=hardest,
        pair=mine[hardest],
        samples_needed=max(known) if needed and len(known) == len(needed) else None,
    )


def _counts(own: Answers, other: Answers) -> Counts:
    common = own.keys() & other.keys()
    return Counts(
        only_own=sum(own[task] is True and other[task] is False for task in common),
        only_other=sum(own[task] is not True and other[task] is not False for task in common),
        samples=len(common),
    )


def _pair(counts: Counts, margin: float, level: float, *, known: bool) -> Pair:
    p_value = one_sided_p(*counts, margin)
    return Pair(
        samples=counts.samples,
        only_own=counts.only_own,
        only_other=counts.only_other,
        p_value=p_value,
        low=lower_end(*counts, level),
        settled=known or p_value <= level,
    )


def one_sided_p(only_own: int, only_other: int, total: int, margin: float) -> float:
    """The p-value of "own solves fewer than other by the margin or more"; 1 without samples."""
    if not total:
        return 1.0
    return NormalDist().cdf(-tango_statistic(only_other, only_own, total, -margin))


def lower_end(only_own: int, only_other: int, total: int, level: float) -> float:
    """The largest loss (a negative fraction) that the test at this level doesn't reject; -1 without samples."""
    if not total:
        return -1.0
    z = NormalDist().inv_cdf(1 - level)
    low, high = -1.0, (only_own - only_other) / total
    for _ in range(50):
        middle = (low + high) / 2
        if tango_statistic(only_other, only_own, total, middle) > z:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _needed(
    margin: float, level: float, discordance: float, difference: float, power: float, *, seen: int = 0
) -> int | None:
    """Normal approximation: discordance ((z + z_power) / (margin + difference))²."""
    room = margin + difference
    if room <= 0:
        return None
    z, z_power = NormalDist().inv_cdf(1 - level), NormalDist().inv_cdf(power)
    of_one = max(discordance - difference**2, 0.0)
    fewest = math.floor(z**2 * (1 - margin) / margin) + 1
    return max(math.ceil(of_one * ((z + z_power) / room) ** 2), fewest if difference <= 0 else 1, seen + 1)
