"""Racing: many configurations go through the same samples in the same random order; those that can't win stop early.

Rounds grow (`rounds`). After each, a configuration that is still racing stops for one of two reasons:

BEATEN  It is shown not to be the best. Evidence against "it solves at least as many of all samples as any other" is
        gathered by betting on one sample after another: against each rival, a capital is multiplied by 1 + s(x - m). x
        is the rival's verdict minus its own, in {-1, 0, 1}; m is the mean that the remaining samples would have if the
        two were equal over all samples, which are drawn without replacement from a finite benchmark. Waudby-Smith &
        Ramdas (2024), "Estimating means of bounded random variables by betting", JRSS-B 86, on sampling without
        replacement. The stake s is a share of the largest one allowed; the capital is the mean over many shares (a
        mixture). The evidence is the mean of the capitals against all rivals, which costs less with many rivals than a
        union bound: Vovk & Wang (2021), "E-values: calibration, combination and applications", Annals of Statistics
        49. By Ville's inequality, if the configuration is the best, the evidence ever reaches 20 with probability at
        most 5 %, however often one looks.

BEHIND  It is not shown to be worse and may be equal, but is very unlikely to be shown better than the leader: the
        predictive probability that on all samples it solves significantly more than the leader (McNemar's exact test,
        as in `compare`, at 5 %) is below 1 %. Stochastic curtailment by predictive power: Spiegelhalter, Freedman &
        Blackburn (1986), "Monitoring clinical trials: conditional or predictive power?", Controlled Clinical Trials 7;
        here with multinomial verdicts and a flat prior. A predictive probability is a martingale, so looking often
        does not raise the error, as far as the prior holds.

Where the score is a metric, x is the difference of two fractions, to which the same bets apply; the chance of getting
ahead is then that of the sign-flip test, from normal differences with a flat prior for their mean (`chance_of_mean`).

LOST ANSWERS are gaps, not failures. In the evidence against a configuration, its own lost answers count as solved and
its rivals' as not solved. Complete answers would never give less evidence, so the error stays below 5 % whatever the
reason for the gaps; nothing here assumes that answers are lost at random. The chance of still getting ahead is computed
from the samples that both answered, with gaps as samples to come; for a configuration that loses the hard samples, this
is too optimistic. A configuration that lost more than 2 % of all samples, or of its own at the end, is UNDECIDED: it
stops, is neither the winner nor beaten, and may be better than the one that is left.

The race is over when one configuration is left, the winner, or no samples are. Its promise: in at least 95 % of races
the winner is the best of the full sweep or not distinguishable from it, that is, McNemar's exact test of the two on all
samples is not significant at 5 %. Simulation shows this: `python -m tests.benchmarks --only race`. It does not promise
an order among those that stopped, nor that those BEHIND are worse. With a few hundred samples most stop as BEHIND,
because showing each of them to be beaten would take half to four fifths of the full sweep.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from results.stats.lost_answers import too_many_lost

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Answers = Sequence[float | None]  # how far each is solved, 0 to 1 or True and False; None if it was lost

FIRST_ROUND = 20  # least samples: fewer rarely show anything, and each round costs a start of every server
FIRST_SHARE = (
    8  # the first round has at least 1/8 of all samples: in large benchmarks, small differences count
)
GROWTH = 1.5
BEATEN_ERROR = 0.05
BEHIND_CHANCE = 0.01
SIGNIFICANCE = 0.05
_STAKES = (
    0.1,
    0.2,
    0.3,
    0.4,
    0.5,
    0.6,
    0.7,
    0.8,
    0.9,
    0.97,
)  # shares of the largest stake; never all of it, so that no capital is ruined
_LARGEST_LOG = 600.0  # largest logarithm of a capital: far beyond any bound, but still a float
_PRIOR = 1.0  # a flat prior for the shares of samples that only it solved, that only the leader solved, and the rest


class Standing(enum.StrEnum):
    RACING = "racing"
    BEATEN = "beaten"
    BEHIND = "behind"
    UNDECIDED = "undecided"
    WITHDRAWN = "withdrawn"


@dataclasses.dataclass(frozen=True)
class Racer:
    """The standing of one configuration.

    samples, solved, lost: numbers so far; a lost answer counts as a sample that is not solved. Where the score is a
    metric, solved is the sum of its values. by: the position of the
    one that beats it most clearly, or that it is behind. evidence: against it being the best; 20 is enough. chance: of
    it still being shown better than the leader, at the last look; None for the leader and before the first look.
    """

    standing: Standing
    samples: int
    solved: float
    lost: int = 0
    by: int | None = None
    evidence: float = 0.0
    chance: float | None = None


@dataclasses.dataclass(frozen=True)
class Race:
    """racers: in the given order. leader: the position of the best one still racing; None before the first round, and
    if all are withdrawn or undecided. next_samples: how many samples each racing one should reach next; None when the
    race is over and the leader has won.
    """

    racers: tuple[Racer, ...]
    leader: int | None
    next_samples: int | None

    @property
    def over(self) -> bool:
        return self.next_samples is None

    @property
    def racing(self) -> tuple[int, ...]:
        return tuple(i for i, racer in enumerate(self.racers) if racer.standing is Standing.RACING)


def rounds(total: int) -> tuple[int, ...]:
    """The samples seen after each round, such as 21, 32, 48, 72, 108, 164. Raises ValueError for none."""
    if total < 1:
        raise ValueError("a race needs samples")
    found = []
    samples = max(FIRST_ROUND, math.ceil(total / FIRST_SHARE))
    while samples * 1.25 < total:
        found.append(samples)
        samples = math.ceil(samples * GROWTH)
    return (*found, total)


def race(verdicts: Sequence[Answers], total: int, *, withdrawn: Collection[int] = ()) -> Race:
    """The state of the race, computed from all verdicts so far. Keeps no state of its own.

    verdicts: for each configuration, one verdict per sample in the common random order, as far as it has run; None for
    a lost answer. total: number of samples in the benchmark. withdrawn: positions of those whose run failed; they no
    longer count, and those that they had stopped are judged again without them. A round counts once all that race in it
    have finished it. Until then `next_samples` stays the same, so that an interrupted race continues as if nothing had
    happened; configurations that are already further wait. Raises ValueError for fewer than two configurations, or more
    verdicts than samples.
    """
    if len(verdicts) < 2 or max(map(len, verdicts)) > total:
        raise ValueError(f"no race of {len(verdicts)} configurations on {total} samples")
    racers = [
        Racer(
            Standing.WITHDRAWN if i in withdrawn else Standing.RACING,
            len(row),
            _solved(row),
            row.count(None),
        )
        for i, row in enumerate(verdicts)
    ]
    lengths = [0] * len(verdicts)
    leader = None
    for samples in rounds(total):
        racing = [i for i, racer in enumerate(racers) if racer.standing is Standing.RACING]
        if len(racing) < 2 and (leader is not None or not racing):
            break
        if any(len(verdicts[i]) < samples for i in racing):
            return Race(tuple(racers), leader, samples)
        for i in racing:
            lengths[i] = samples
        seen = [row[:length] for row, length in zip(verdicts, lengths, strict=True)]
        leader = _look(racers, racing, seen, total)
    for i, racer in enumerate(racers):
        if racer.standing is Standing.RACING and too_many_lost(racer.lost, racer.samples):
            racers[i] = dataclasses.replace(racer, standing=Standing.UNDECIDED)
            leader = None if i == leader else leader
    return Race(tuple(racers), leader, None)


def _look(racers: list[Racer], racing: Sequence[int], seen: Sequence[Answers], total: int) -> int | None:
    """Judge those racing, all at the same number of samples. Returns the leader, which never stops."""
    lost = {i: seen[i].count(None) for i in racing}
    judged = [i for i in racing if not too_many_lost(lost[i], total)]
    for i in set(racing) - set(judged):
        racers[i] = dataclasses.replace(racers[i], standing=Standing.UNDECIDED, by=None, chance=None)
    if not judged:
        return None

    # The leader (the first of equal ones) never stops, so that a winner remains.
    leader = max(judged, key=lambda i: (_solved(seen[i]) / max(len(seen[i]) - lost[i], 1), -i))
    for i in judged:
        evidence, by = evidence_against(i, seen, total)
        standing, chance = Standing.RACING, None
        if i != leader:
            chance = _chance_against(seen[i], seen[leader], total)
            if evidence >= 1 / BEATEN_ERROR:
                standing = Standing.BEATEN
            elif chance < BEHIND_CHANCE and len(seen[i]) < total:
                standing, by = Standing.BEHIND, leader
        racers[i] = dataclasses.replace(
            racers[i],
            standing=standing,
            by=by if standing is not Standing.RACING else None,
            evidence=evidence,
            chance=chance,
        )
    return leader


def evidence_against(position: int, seen: Sequence[Answers], total: int) -> tuple[float, int]:
    """The highest evidence so far against a configuration being the best, and the position of its strongest rival.

    An e-process: if the configuration is (one of) the best on all samples, this reaches 1/p with probability p at most.
    A rival that stopped earlier keeps its capital. Lost answers count in the configuration's favour: a capital grows
    with the rival's verdicts and falls with its own, so gaps never make it larger.
    """
    import numpy as np

    own = np.array([1.0 if verdict is None else verdict for verdict in seen[position]], dtype=float)
    mean = np.zeros(len(own))
    last = {}
    for rival, row in enumerate(seen):
        common = min(len(own), len(row))
        if rival == position or not common:
            continue
        theirs = np.array([verdict or 0.0 for verdict in row[:common]], dtype=float)
        capital = _capital(theirs - own[:common], total)
        mean += np.concatenate([capital, np.full(len(own) - common, capital[-1])])
        last[rival] = float(capital[-1])
    if not last:
        return 0.0, position
    return float(mean.max()) / len(last), max(last, key=last.__getitem__)


def _capital(differences: Floats, total: int) -> Floats:
    """The capital after each sample, from betting that the rival is better over all samples."""
    import numpy as np

    before = np.cumsum(differences) - differences
    left = total - np.arange(len(differences))
    expected = -before / left  # the mean of the remaining differences if they all sum to 0
    # The largest stake is 1/(1 + expected), at which a loss ruins; where it would be unbounded, use a smaller one.
    largest = 1 / np.maximum(1 + expected, 0.02)
    stakes = np.asarray(_STAKES)[:, None]
    factors = np.maximum(1 + stakes * largest * (differences - expected), 1e-300)
    logs = np.minimum(np.cumsum(np.log(factors), axis=1), _LARGEST_LOG)
    capital: Floats = np.exp(logs).mean(axis=0)
    certain = np.maximum.accumulate(expected < -1)  # it leads by more than there are samples left
    return np.where(certain, math.exp(_LARGEST_LOG), capital)


def _chance_against(own: Answers, leaders: Answers, total: int) -> float:
    """The chance of still being shown better than the leader, given the samples that both answered."""
    both = [
        (mine, theirs)
        for mine, theirs in zip(own, leaders, strict=True)
        if mine is not None and theirs is not None
    ]
    if any(value not in {0, 1} for pair in both for value in pair):
        return chance_of_mean([mine - theirs for mine, theirs in both], total)
    wins = sum(bool(mine) and not theirs for mine, theirs in both)
    losses = sum(bool(theirs) and not mine for mine, theirs in both)
    return chance_to_be_better(wins, losses, len(both), total)


def chance_of_mean(differences: Sequence[float], total: int) -> float:
    """The predictive probability that the mean of all samples' differences is significantly above 0, at 5 %.

    The same as `chance_to_be_better` for fractions: the sum of the remaining differences is normal, its mean that of
    those seen, with a flat prior; the spread is that of `paired.mean_interval`, two added differences included.
    """
    seen, left = len(differences), total - len(differences)
    squares, amounts = math.fsum(each * each for each in differences), math.fsum(map(abs, differences))
    size = (squares + 1) / (amounts + 1)
    spread = math.sqrt((squares + 2 * size**2) / (seen + 2))
    needed = NormalDist().inv_cdf(1 - SIGNIFICANCE / 2) * spread * math.sqrt(total)
    so_far = math.fsum(differences)
    if not left or not seen:
        return float(so_far > needed)
    to_come = NormalDist(left * so_far / seen, spread * math.sqrt(left + left**2 / seen))
    return 1 - to_come.cdf(needed - so_far)


def _solved(row: Answers) -> float:
    """How many, or the sum of their values."""
    return math.fsum(value for value in row if value is not None)


@functools.lru_cache(maxsize=100_000)
def chance_to_be_better(wins: int, losses: int, seen: int, total: int) -> float:
    """The predictive probability that McNemar's exact test on all samples finds more wins than losses, at 5 %.

    Given `wins` and `losses` so far, the future is Dirichlet-multinomial: the number of remaining samples that will
    differ is beta-binomial, and so is the number of wins among them.
    """
    import numpy as np

    differing = np.arange(total - seen + 1)
    same = seen - wins - losses + _PRIOR
    weights = np.exp(_log_beta_binomial(differing, total - seen, wins + losses + 2 * _PRIOR, same))
    chance = 0.0
    for more, weight in zip(differing.tolist(), weights.tolist(), strict=True):
        if weight < 1e-9:
            continue
        needed = max(0, _significant_wins(wins + losses + more) - wins)
        if needed <= more:
            gained = np.arange(needed, more + 1)
            chance += weight * float(
                np.exp(_log_beta_binomial(gained, more, wins + _PRIOR, losses + _PRIOR)).sum()
            )
    return min(1.0, chance)


@functools.lru_cache(maxsize=100_000)
def _significant_wins(differing: int) -> int:
    """The fewest wins among so many differing samples for which McNemar's exact test is significant; more than
    `differing` if there is no such number.
    """
    from scipy.stats import binom

    # The quantile of the upper tail: P(wins > q) <= 2.5 %, the smallest such q.
    return int(binom.isf(SIGNIFICANCE / 2, differing, 0.5)) + 1 if differing else 1


def _log_beta_binomial(values: Any, count: int, one: float, other: float) -> Any:
    """The logarithm of the probability of each value out of `count`, whose share is Beta(one, other)."""
    from scipy.special import betaln, gammaln

    choose = gammaln(count + 1) - gammaln(values + 1) - gammaln(count - values + 1)
    return choose + betaln(values + one, count - values + other) - betaln(one, other)
