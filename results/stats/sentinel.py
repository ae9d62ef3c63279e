"""Watching a model: whether a new run, of another build, driver or file, differs from the baseline's runs.

A look is one new run on the samples of the baseline, or two where the first is suspicious. Three questions, each with a
test of its own:

SCORE    One-sided exact McNemar test of the new run against the first run of the baseline. If the new build is as good,
         a sample whose verdict flips is as likely to be lost as won, also where another build flips many.
ANSWERS  With two runs of the baseline and one new one: of the samples on which exactly one of the three answered
         otherwise, the new run is that one in a third, if the three are runs of the same thing. With two new runs: of
         the samples on which the four split two and two, the split is along the builds in a third. Both counts are
         binomial, whatever the samples are and however often a sample's answer changes by itself. An alarm needs two
         new runs: one that was made while the machine was busy may differ from both runs of the baseline.
SPEED    One-sided t-test of the logarithms of tokens per second between the runs, and the slowdown must be of a minimum
         size. Two runs say little about a machine's spread, so a spread of `USUAL_SPREAD` counts as so many observed
         differences. This holds while the undisturbed runs of a machine spread by up to `LARGEST_SPREAD`. An alarm
         needs two new runs.

The level of each test is a third of `YEAR_ERROR` over the number of looks in a year. By the union bound, which holds
however looks depend on each other through their common baseline, the chance of any false alarm in a year of that many
looks is at most `YEAR_ERROR`. Simulation shows this: `python -m tests.benchmarks --only watch`.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import math
from statistics import fmean
from typing import TYPE_CHECKING

from results.stats.paired import POWER

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

YEAR_ERROR = 0.05
LOOKS_A_YEAR = 365
TESTS = 3  # of each look: score, answers, speed
USUAL_SPREAD = (
    0.02  # standard deviation of the logarithm of a machine's undisturbed speeds, until more is known
)
USUAL_WEIGHT = 4  # observed differences that it counts as
LARGEST_SPREAD = 0.03
MIN_SLOWDOWN = 0.05
ASSUMED_FLIPS = 0.05  # share of samples whose verdict another build flips, until that was seen
SUSPICION = 0.01  # a first run with such a p-value of its answers is worth a second run
_MOST_SAMPLES = 1_000_000


def level_per_test(looks_a_year: int = LOOKS_A_YEAR) -> float:
    """The level at which each test of a look is done."""
    return YEAR_ERROR / looks_a_year / TESTS


def loss_p(lost: int, won: int) -> float:
    """The one-sided p-value of McNemar's exact test: that so many of the samples that flipped, or more, are lost."""
    flipped = lost + won
    return min(1.0, sum(math.comb(flipped, count) for count in range(won + 1)) / (1 << flipped))


@functools.lru_cache(maxsize=10_000)
def fewest_lost(flipped: int, level: float) -> int:
    """How many of the flipped samples must be lost for an alarm; more than `flipped` if no number is enough."""
    tail, ways = 0, level * (1 << flipped) if flipped < 1000 else None
    if ways is not None:
        for won in range(flipped + 1):
            tail += math.comb(flipped, won)
            if tail > ways:
                return flipped - won + 1
        return 0
    from scipy.stats import binom

    return int(binom.isf(level, flipped, 0.5)) + 1


def power_for_drop(samples: int, drop: float, flips: float, level: float) -> float:
    """The chance of an alarm if the score drops by `drop` and, besides, a share `flips` of all samples flips both ways.

    Exact: the number of samples that flip is binomial, and so is the number of lost ones among them.
    """
    import numpy as np
    from scipy.stats import binom

    drop, either = min(drop, 1.0), min(1.0, drop + flips)
    share_lost = (either + drop) / 2 / either if either else 0.0
    flipped = np.arange(samples + 1)
    weights = binom.pmf(flipped, samples, either)
    likely = flipped[weights > 1e-9]
    needed = np.array([fewest_lost(int(count), level) for count in likely])
    return float((weights[likely] * binom.sf(needed - 1, likely, share_lost)).sum())


def samples_for_drop(drop: float, flips: float, level: float, power: float = POWER) -> int:
    """The number of samples with which a drop of that size gives an alarm with this power. drop: above 0."""
    low, high = 1, 32
    while high < _MOST_SAMPLES and power_for_drop(high, drop, flips, level) < power:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if power_for_drop(middle, drop, flips, level) < power else (low, middle)
    return high


def smallest_drop(samples: int, flips: float, level: float, power: float = POWER) -> float | None:
    """The smallest drop that so many samples show with this power; None if they show none."""
    if samples < 1 or power_for_drop(samples, 1.0, 0.0, level) < power:
        return None
    low, high = 0.0, 1.0
    while high - low > 0.0005:
        middle = (low + high) / 2
        low, high = (middle, high) if power_for_drop(samples, middle, flips, level) < power else (low, middle)
    return high


@dataclasses.dataclass(frozen=True)
class ChangedCount:
    """samples: so many were answered by all runs. telling: those that say something, by the test's rule. changed: those
    of them that changed with the build. own: samples on which the two runs of the baseline differ by themselves.
    p_value: one-sided, for no change beyond that.
    """

    samples: int
    telling: int
    changed: int
    own: int
    p_value: float


def changed_count(baseline: Sequence[Sequence[Hashable]], new: Sequence[Sequence[Hashable]]) -> ChangedCount:
    """Test the answers of one or two new runs against two of the baseline. Each: one answer per sample, in one order.

    Raises ValueError for other numbers of runs.
    """
    if len(baseline) != 2 or len(new) not in {1, 2}:
        raise ValueError(f"no test of {len(new)} runs against {len(baseline)}")
    telling = changed = own = 0
    first, second = baseline
    for position, (one, other) in enumerate(zip(first, second, strict=True)):
        answers = (one, other, *(run[position] for run in new))
        own += one != other
        if len(set(answers)) != 2:
            continue  # all alike, or so different that no run stands apart
        alone = min(answers.count(answer) for answer in set(answers)) == 1
        if len(new) == 1 or not alone:
            telling += 1
            changed += one == other
    return ChangedCount(len(first), telling, changed, own, _upper_tail(changed, telling, 1 / 3))


def fewest_changed(level: float) -> int:
    """The fewest samples whose answers can show a change."""
    return math.ceil(math.log(level) / math.log(1 / 3))


@dataclasses.dataclass(frozen=True)
class Slowdown:
    """slower: the share by which the new runs are slower, negative if they are faster. spread: the standard deviation
    that the test assumes. p_value: one-sided, for not slower. visible: the smallest slowdown that would give an alarm.
    """

    slower: float
    spread: float
    p_value: float
    visible: float


def slowdown(
    baseline: Sequence[float], new: Sequence[float], level: float, minimum: float = MIN_SLOWDOWN
) -> Slowdown | None:
    """Compare speeds of whole runs, in any unit. None if one side has none."""
    if not baseline or not new:
        return None
    from scipy.stats import t

    sides = [[math.log(speed) for speed in speeds] for speeds in (baseline, new)]
    means = [fmean(side) for side in sides]
    squares = sum((value - mean) ** 2 for side, mean in zip(sides, means, strict=True) for value in side)
    freedom = len(baseline) + len(new) - 2 + USUAL_WEIGHT
    spread = math.sqrt((squares + USUAL_WEIGHT * USUAL_SPREAD**2) / freedom)
    error = spread * math.sqrt(1 / len(baseline) + 1 / len(new))
    difference = means[0] - means[1]
    return Slowdown(
        slower=1 - math.exp(-difference),
        spread=spread,
        p_value=float(t.sf(difference / error, freedom)),
        visible=max(minimum, 1 - math.exp(-float(t.isf(level, freedom)) * error)),
    )


def _upper_tail(count: int, total: int, chance: float) -> float:
    """The chance of `count` or more of `total`."""
    if not count:
        return 1.0
    from scipy.stats import binom

    return float(binom.sf(count - 1, total, chance))


@dataclasses.dataclass(frozen=True)
class RunFigures:
    """What a look takes from a run. passed, answers: one for each sample, in an order common to all runs. answers: None
    if the run kept no words. tokens_per_s: None if unknown, or not comparable with other runs.
    """

    passed: Sequence[bool]
    answers: Sequence[Hashable] | None = None
    tokens_per_s: float | None = None


class Alarm(enum.StrEnum):
    SCORE = "score"
    ANSWERS = "answers"
    SPEED = "speed"


@dataclasses.dataclass(frozen=True)
class Look:
    """lost, won: samples that only the first run of the baseline, or only the first new one passed; loss_p: one-sided.
    answers, speed: None if they can't be judged. suspicious: what a second new run would decide.
    """

    samples: int
    lost: int
    won: int
    loss_p: float
    answers: ChangedCount | None
    speed: Slowdown | None
    alarms: tuple[Alarm, ...]
    suspicious: tuple[Alarm, ...]


def look(
    baseline: Sequence[RunFigures],
    new: Sequence[RunFigures],
    *,
    level: float,
    min_slowdown: float = MIN_SLOWDOWN,
) -> Look:
    """Judge one or two new runs by one or more runs of the baseline. level: of each test. More than two new runs count
    for the speed only.
    """
    alarms, suspicious = [], []
    first, one = baseline[0].passed, new[0].passed
    lost = sum(was and not now for was, now in zip(first, one, strict=True))
    won = sum(now and not was for was, now in zip(first, one, strict=True))
    p_value = loss_p(lost, won)
    if p_value <= level:
        alarms.append(Alarm.SCORE)
    worded = [[run.answers for run in side[:2] if run.answers is not None] for side in (baseline, new)]
    answers = changed_count(*worded) if len(worded[0]) == 2 and worded[1] else None
    if answers is not None and len(worded[1]) == 2 and answers.p_value <= level:
        alarms.append(Alarm.ANSWERS)
    elif answers is not None and len(new) == 1 and answers.p_value <= SUSPICION:
        suspicious.append(Alarm.ANSWERS)
    speeds = [[run.tokens_per_s for run in side if run.tokens_per_s] for side in (baseline, new)]
    speed = slowdown(speeds[0], speeds[1], level, min_slowdown)
    if speed is not None and speed.slower >= min_slowdown:
        if len(speeds[1]) > 1 and speed.p_value <= level:
            alarms.append(Alarm.SPEED)
        elif len(new) == 1:
            suspicious.append(Alarm.SPEED)
    return Look(len(first), lost, won, p_value, answers, speed, tuple(alarms), tuple(suspicious))
