"""How two runs differ on the same samples: paired tests, intervals, effect sizes, the number of samples needed.

All differences are second minus first, in fractions. SciPy is imported where it is used.
"""

from __future__ import annotations

import dataclasses
import math
from fractions import Fraction
from statistics import NormalDist, fmean, pstdev, stdev
from typing import TYPE_CHECKING, TypeVar

from results.stats.intervals import CONFIDENCE
from results.stats.resampling import flipped_means, share_as_far, swaps_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

POWER = 0.80
_ROUNDING = 1e-12  # error of sums of fractions
_FEWEST = 6  # samples that can show a difference: 2 of 2^6 combinations of signs are less than 5 %
_MOST_COUNTED = 3e8  # steps, some 0.3 s
_FINEST = 2520  # the largest denominator: a common one for halves to tenths
MCNEMAR = "exact McNemar"
SIGN_FLIP = "exact sign-flip test"

Value = TypeVar("Value")


@dataclasses.dataclass(frozen=True)
class PairedResult:
    """The paired comparison of two runs.

    first, second: their means; difference: second - first, with its 95 % interval (low, high). p_value: two-sided, for
    no difference; adjusted_p: adjusted for all that were tested together (Holm). only_first, only_second: number of
    samples on which that run did better. odds_ratio: only_second / only_first, with its interval; None if infinite or
    unknown. cohens_g: the share of only_second among the samples that differ, minus one half: 0.05 is called small,
    0.15 medium, 0.25 large (Cohen 1988, "Statistical Power Analysis", chapter 5). samples_needed: to show a difference
    of this size with 80 % power, assuming that it is the true one; None if there is no difference.
    """

    samples: int
    first: float
    second: float
    difference: float
    low: float
    high: float
    p_value: float
    adjusted_p: float
    test: str
    only_first: int
    only_second: int
    odds_ratio: float | None = None
    odds_ratio_low: float | None = None
    odds_ratio_high: float | None = None
    cohens_g: float | None = None
    samples_needed: int | None = None

    @property
    def shown(self) -> bool:
        """Whether a difference is shown, at 5 %."""
        return self.adjusted_p < 1 - CONFIDENCE


def compare_verdicts(first: Sequence[bool], second: Sequence[bool]) -> PairedResult:
    """Compare one verdict per sample: McNemar's exact test, Tango's interval. Raises ValueError for none or unequal
    numbers.
    """
    pairs = _paired(first, second)
    only_first = sum(a and not b for a, b in pairs)
    only_second = sum(b and not a for a, b in pairs)
    low, high = tango_interval(only_first, only_second, len(pairs))
    p_value = mcnemar_exact(only_first, only_second)
    ratio, ratio_low, ratio_high = odds_ratio(only_first, only_second)
    differing = only_first + only_second
    return PairedResult(
        samples=len(pairs),
        first=fmean(first),
        second=fmean(second),
        difference=(only_second - only_first) / len(pairs),
        low=low,
        high=high,
        p_value=p_value,
        adjusted_p=p_value,
        test=MCNEMAR,
        only_first=only_first,
        only_second=only_second,
        odds_ratio=ratio,
        odds_ratio_low=ratio_low,
        odds_ratio_high=ratio_high,
        cohens_g=only_second / differing - 0.5 if differing else None,
        samples_needed=samples_for_mcnemar(only_first / len(pairs), only_second / len(pairs)),
    )


def compare_fractions(first: Sequence[float], second: Sequence[float]) -> PairedResult:
    """Compare one fraction per sample, such as its pass@k: sign-flip test, adjusted interval. Raises ValueError too."""
    differences = [b - a for a, b in _paired(first, second)]
    p_value, test = sign_flips(differences)
    low, high = mean_interval(differences, p_value)
    return PairedResult(
        samples=len(differences),
        first=fmean(first),
        second=fmean(second),
        difference=fmean(differences),
        low=low,
        high=high,
        p_value=p_value,
        adjusted_p=p_value,
        test=test,
        only_first=sum(difference < 0 for difference in differences),
        only_second=sum(difference > 0 for difference in differences),
        samples_needed=samples_for_mean(differences),
    )


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """The two-sided p-value. Without a true difference, each sample that differs is a fair coin.

    McNemar (1947), Psychometrika 12; exact as in Fagerland, Lydersen & Laake (2013), "The McNemar test for binary
    matched-pairs data", BMC Med. Res. Methodol. 13:91. 1.0 if no sample differs.
    """
    differing, fewer = only_first + only_second, min(only_first, only_second)
    tail = sum(math.comb(differing, count) for count in range(fewer + 1))
    return min(1.0, 2 * tail / (1 << differing))  # whole numbers are exact and need no slow SciPy import


def tango_interval(
    only_first: int, only_second: int, total: int, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """The score interval of the difference of paired proportions. It also holds for few or no differing samples.

    Tango (1998), "Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design", Statistics in Medicine 17: all differences that the score test, with the nuisance parameter at its
    maximum likelihood, does not reject. Raises ValueError.
    """
    if total < 1 or min(only_first, only_second) < 0 or only_first + only_second > total:
        raise ValueError(f"no interval for {only_first} and {only_second} of {total}")
    z = _quantile(confidence)
    estimate = (only_second - only_first) / total

    def statistic(difference: float) -> float:
        return tango_statistic(only_first, only_second, total, difference)

    return (
        _crossing(lambda difference: statistic(difference) > z, -1.0, estimate),
        _crossing(lambda difference: statistic(difference) > -z, estimate, 1.0),
    )


def tango_statistic(only_first: int, only_second: int, total: int, difference: float) -> float:
    """Tango's score statistic for a true difference of this size: above 0 if more was seen. About normal if it is."""
    linear = -only_second - only_first + (2 * total - only_second + only_first) * difference
    constant = -only_first * difference * (1 - difference)
    nuisance = (math.sqrt(max(0.0, linear**2 - 8 * total * constant)) - linear) / (4 * total)
    variance = total * (2 * nuisance + difference * (1 - difference))
    distance = only_second - only_first - total * difference
    return distance / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, distance)


def odds_ratio(
    only_first: int, only_second: int, confidence: float = CONFIDENCE
) -> tuple[float | None, float | None, float | None]:
    """only_second / only_first with its exact interval; None means infinite or unknown.

    Breslow & Day (1980), "Statistical methods in cancer research", volume 1, section 5.2: the interval of the
    binomial share (Clopper & Pearson 1934), turned into odds.
    """
    from scipy.special import betaincinv  # not scipy.stats, which takes a second and 50 MB

    differing = only_first + only_second
    if not differing:
        return None, None, None
    tail = (1 - confidence) / 2
    low = float(betaincinv(only_second, only_first + 1, tail)) if only_second else 0.0
    high = float(betaincinv(only_second + 1, only_first, 1 - tail)) if only_first else 1.0
    ratio = only_second / only_first if only_first else None
    return ratio, _odds(low), _odds(high)


def sign_flips(differences: Sequence[float]) -> tuple[float, str]:
    """The p-value of one difference per sample and the test's name: all signs counted, or, where that takes long
    because many samples have many values, drawn with a fixed seed.
    """
    sizes = [abs(each) for each in differences if each]
    unit = _unit(differences)
    if len(sizes) * sum(sizes) * unit / 2 <= _MOST_COUNTED:
        return sign_flip_test(differences), SIGN_FLIP
    draws = swaps_for(len(sizes))
    drawn = flipped_means(differences, draws=draws)
    return share_as_far(drawn, fmean(differences)), f"sign-flip test, {draws:,} drawn"


def sign_flip_test(differences: Sequence[float]) -> float:
    """The exact two-sided p-value of one difference per sample, for any number of samples.

    If two runs are equal, each difference is just as likely with the other sign: Fisher (1935), "The design of
    experiments", section 21; Pitman (1937), "Significance tests which may be applied to samples from any populations",
    J. R. Stat. Soc. Suppl. 4. The p-value is the share of all 2^n combinations of signs whose sum is at least as far
    from 0. scipy.stats.permutation_test (permutation_type="samples") lists them for up to some 13 samples that differ
    and draws random ones for more. Here the sums are counted as multiples of a common unit, so there is no randomness,
    and no smallest p-value that Holm's correction for a large table would lift above 5 %. Without a common unit
    (pass@10 of 20 completions) the differences are rounded to 1/2520; the test of the rounded ones is exact too.
    """
    import numpy as np

    unit = _unit(differences)
    whole = [round(value * unit) for value in differences]
    flipped = sorted(abs(value) for value in whole if value)
    # The share of combinations by the flipped amount; their sum is the total minus twice that amount.
    shares = np.zeros(sum(flipped) + 1)
    shares[0], reached = 1.0, 0
    for value in flipped:
        shares[value : reached + value + 1] += shares[: reached + 1].copy()
        reached += value
        shares[: reached + 1] /= 2
    tail = float(shares[: (reached - abs(sum(whole))) // 2 + 1].sum())
    return min(1.0, 2 * tail)


def _unit(differences: Sequence[float]) -> int:
    """The common denominator of the differences, as far as there is one."""
    found = 1
    for value in set(differences):
        found = math.lcm(found, Fraction(value).limit_denominator(_FINEST).denominator)
        if found >= _FINEST:
            return _FINEST
    return found


def mean_interval(
    differences: Sequence[float], p_value: float | None, *, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """The interval (95 % by default) of the mean of one difference per sample, each from -1 to 1.

    Bonett & Price (2012), "Adjusted Wald confidence interval for a difference of binomial proportions based on paired
    data", J. Educational and Behavioral Statistics 37: add two samples, one for each run, then take z standard errors.
    The size of the added differences is the mean square over the mean amount of the observed ones (1 for verdicts),
    computed with one extra whole difference, because few or no differences don't show how large they are. Inverting the
    test and Student's t hold only if many samples differ: near scores of 0 and 100 they cover the true difference in
    half of the cases or less, this interval in 95 % (`python -m tests.benchmarks --only statistics`).

    p_value: of `sign_flip_test`, which decides: an interval that contradicts it is extended to 0 or cut off there.
    None: the interval as it is.
    """
    size = (math.fsum(value * value for value in differences) + 1) / (math.fsum(map(abs, differences)) + 1)
    with_two = [*differences, size, -size]
    mean = fmean(with_two)
    half = _quantile(confidence) * pstdev(with_two, mean) / math.sqrt(len(with_two))
    low, high = max(-1.0, mean - half), min(1.0, mean + half)
    return (low, high) if p_value is None else agreeing(low, high, mean, p_value, confidence=confidence)


def agreeing(
    low: float, high: float, mean: float, p_value: float, *, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """An interval extended to 0 or cut off there, where it contradicts the test."""
    if p_value >= 1 - confidence:
        return min(low, 0.0), max(high, 0.0)
    return (max(low, 0.0), high) if mean > 0 else (low, min(high, 0.0))


def holm(p_values: Sequence[float], tests: int | None = None) -> list[float]:
    """The p-values adjusted for all tests together, in the given order. tests: how many there are, if more than are
    given; the others count as 1.

    Holm (1979), "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6. The chance of any
    false finding in the whole table stays below the level, however the tests depend on each other.
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    count = max(len(p_values), tests or 0)
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (count - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def with_holm(results: Sequence[PairedResult]) -> list[PairedResult]:
    """The results of one table, with their p-values adjusted for all of them."""
    adjusted = holm([result.p_value for result in results])
    return [dataclasses.replace(result, adjusted_p=p) for result, p in zip(results, adjusted, strict=True)]


def samples_for_mcnemar(
    only_first: float, only_second: float, power: float = POWER, confidence: float = CONFIDENCE
) -> int | None:
    """The number of samples that McNemar's test needs for these shares of differing samples; None if they are equal.

    Connor (1987), "Sample size for testing differences in proportions for the paired-sample design", Biometrics
    43: (z √ψ + z_power √(ψ - δ²))² / δ², ψ the sum and δ the difference of the shares. McNemar's test without
    correction; the exact one needs a few more.
    """
    difference, sum_ = abs(only_second - only_first), only_first + only_second
    if difference < _ROUNDING:
        return None
    z_level, z_power = _quantiles(power, confidence)
    root = z_level * math.sqrt(sum_) + z_power * math.sqrt(max(0.0, sum_ - difference**2))
    return math.ceil((root / difference) ** 2)


def samples_for_mean(
    differences: Sequence[float], power: float = POWER, confidence: float = CONFIDENCE
) -> int | None:
    """The number of samples that a test of the mean of such differences needs: ((z + z_power) s / mean)².

    Miller (2024), "Adding error bars to evals", arXiv:2411.00640, section 5, with the observed variance; at least as
    many as the exact test needs to show anything. None for a mean of 0 and for a single difference.
    """
    mean = fmean(differences)
    if len(differences) < 2 or abs(mean) < _ROUNDING:
        return None
    needed = math.ceil((sum(_quantiles(power, confidence)) * stdev(differences) / mean) ** 2)
    return max(_FEWEST, needed)


def _quantiles(power: float, confidence: float) -> tuple[float, float]:
    return _quantile(confidence), NormalDist().inv_cdf(power)


def _quantile(confidence: float) -> float:
    """The normal quantile of a two-sided interval."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def _paired(first: Sequence[Value], second: Sequence[Value]) -> list[tuple[Value, Value]]:
    if not first or len(first) != len(second):
        raise ValueError(f"no pairs of {len(first)} and {len(second)} values")
    return list(zip(first, second, strict=True))


def _odds(share: float) -> float | None:
    return share / (1 - share) if share < 1 else None


def _crossing(above: Callable[[float], bool], low: float, high: float) -> float:
    """Where a decreasing statistic falls below a bound. above: true to the left of it."""
    for _ in range(60):
        middle = (low + high) / 2
        if above(middle):
            low = middle
        else:
            high = middle
    return (low + high) / 2
