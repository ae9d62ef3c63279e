"""How two runs differ on the same samples: paired tests, intervals, effect sizes, the samples one would need.

Everything is second less first, in fractions. What is asked of SciPy is imported where it is used.
"""

from __future__ import annotations

import dataclasses
import math
from statistics import NormalDist, fmean, stdev
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CONFIDENCE = 0.95
POWER = 0.80
RESAMPLES = 9_999  # with the observed one 10,000: p-values down to 0.0001
_ROUNDING = 1e-12  # of sums of fractions
SEED = 0  # of the bootstrap: the same two runs give the same numbers again
MCNEMAR = "exact McNemar"
BOOTSTRAP = "paired bootstrap"

Value = TypeVar("Value")


@dataclasses.dataclass(frozen=True)
class PairedResult:
    """Two runs' values of the same samples.

    first, second: their means; difference: second - first, with its 95 % interval (low, high). p_value: two-sided,
    of no difference; adjusted_p: the same where several were tested together (Holm). only_first, only_second: samples
    on which that run did better. odds_ratio: only_second / only_first, with its interval; None where it is infinite
    or unknown. cohens_g: the share of only_second among the samples that differ, less a half: 0.05 is called small,
    0.15 medium, 0.25 large (Cohen 1988, "Statistical Power Analysis", chapter 5). samples_needed: to show a difference
    of this size, were it the true one, with 80 % power; None where there is none.
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
    """One verdict a sample: McNemar's exact test, Tango's interval. Raises ValueError for none, or unequal many."""
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
    """One fraction a sample, such as its pass@k: bootstrap over the samples. Raises ValueError as above."""
    differences = [b - a for a, b in _paired(first, second)]
    low, high, p_value = bootstrap_mean(differences)
    return PairedResult(
        samples=len(differences),
        first=fmean(first),
        second=fmean(second),
        difference=fmean(differences),
        low=low,
        high=high,
        p_value=p_value,
        adjusted_p=p_value,
        test=BOOTSTRAP,
        only_first=sum(difference < 0 for difference in differences),
        only_second=sum(difference > 0 for difference in differences),
        samples_needed=samples_for_mean(differences),
    )


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """The two-sided p-value: under no difference each sample that differs is a fair coin.

    McNemar (1947), Psychometrika 12; exact as in Fagerland, Lydersen & Laake (2013), "The McNemar test for binary
    matched-pairs data", BMC Med. Res. Methodol. 13:91. 1.0 where no sample differs.
    """
    differing, fewer = only_first + only_second, min(only_first, only_second)
    tail = sum(math.comb(differing, count) for count in range(fewer + 1))
    return min(1.0, 2 * tail / (1 << differing))  # whole numbers: exact, and no SciPy to wait for


def tango_interval(
    only_first: int, only_second: int, total: int, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """The score interval of the difference of paired proportions; it holds for few and for no differing samples too.

    Tango (1998), "Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design", Statistics in Medicine 17: all differences that the score test, with the nuisance parameter at its
    maximum likelihood, does not reject. Raises ValueError.
    """
    if total < 1 or min(only_first, only_second) < 0 or only_first + only_second > total:
        raise ValueError(f"no interval for {only_first} and {only_second} of {total}")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    estimate = (only_second - only_first) / total

    def statistic(difference: float) -> float:
        linear = -only_second - only_first + (2 * total - only_second + only_first) * difference
        constant = -only_first * difference * (1 - difference)
        nuisance = (math.sqrt(max(0.0, linear**2 - 8 * total * constant)) - linear) / (4 * total)
        variance = total * (2 * nuisance + difference * (1 - difference))
        distance = total * (estimate - difference)
        return distance / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, distance)

    return (
        _crossing(lambda difference: statistic(difference) > z, -1.0, estimate),
        _crossing(lambda difference: statistic(difference) > -z, estimate, 1.0),
    )


def odds_ratio(
    only_first: int, only_second: int, confidence: float = CONFIDENCE
) -> tuple[float | None, float | None, float | None]:
    """only_second / only_first with its exact interval; None for infinite, or unknown.

    Breslow & Day (1980), "Statistical methods in cancer research", volume 1, section 5.2: the interval of the
    binomial share (Clopper & Pearson 1934), turned into odds.
    """
    from scipy.stats import binomtest

    differing = only_first + only_second
    if not differing:
        return None, None, None
    share = binomtest(only_second, differing).proportion_ci(confidence, method="exact")
    ratio = only_second / only_first if only_first else None
    return ratio, _odds(float(share.low)), _odds(float(share.high))


def bootstrap_mean(
    values: Sequence[float], confidence: float = CONFIDENCE, seed: int = SEED
) -> tuple[float, float, float]:
    """The interval of the mean of one difference a sample, and the two-sided p-value of its being 0.

    Whole samples are drawn again, so the completions of one stay together. Interval: BCa (Efron 1987, "Better
    bootstrap confidence intervals", JASA 82), from scipy.stats.bootstrap. p-value: how often the mean, drawn under no
    difference (the values moved to mean 0), is as far from 0 as the one observed, which is counted too: Davison &
    Hinkley (1997), "Bootstrap methods and their application", equation 4.11. Where all values agree a bootstrap
    says nothing: then Tango's interval around them, and the sign test.
    """
    total, mean = len(values), fmean(values)
    if max(values) - min(values) < _ROUNDING:
        only_first, only_second = total * (mean < 0), total * (mean > 0)
        low, high = tango_interval(only_first, only_second, total, confidence)
        return min(low, mean), max(high, mean), mcnemar_exact(only_first, only_second)

    import numpy as np
    from scipy.stats import bootstrap

    drawn = bootstrap(
        (np.asarray(values, dtype=float),),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=confidence,
        method="BCa",
        random_state=seed,
    )
    # Equal sums of other order differ in their last bits; they count as equally far.
    as_far = np.abs(drawn.bootstrap_distribution - mean) >= abs(mean) - _ROUNDING
    p_value = (1 + int(as_far.sum())) / (1 + RESAMPLES)
    interval = drawn.confidence_interval
    return float(interval.low), float(interval.high), p_value


def holm(p_values: Sequence[float]) -> list[float]:
    """Each p-value, adjusted for all that were tested together, in the order given.

    Holm (1979), "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6. The chance of any
    false finding in the whole table stays below the level that these are held to, however the tests depend.
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def with_holm(results: Sequence[PairedResult]) -> list[PairedResult]:
    """The results of one table, each with its p-value adjusted for all of them."""
    adjusted = holm([result.p_value for result in results])
    return [dataclasses.replace(result, adjusted_p=p) for result, p in zip(results, adjusted, strict=True)]


def samples_for_mcnemar(
    only_first: float, only_second: float, power: float = POWER, confidence: float = CONFIDENCE
) -> int | None:
    """Samples that a test of these shares of differing samples needs; None where they are equal.

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
    """Samples that a test of a mean of such differences needs: ((z + z_power) s / mean)².

    Miller (2024), "Adding error bars to evals", arXiv:2411.00640, section 5, with the variance as observed. None for
    a mean of 0, and for a single difference.
    """
    mean = fmean(differences)
    if len(differences) < 2 or abs(mean) < _ROUNDING:
        return None
    return max(1, math.ceil((sum(_quantiles(power, confidence)) * stdev(differences) / mean) ** 2))


def _quantiles(power: float, confidence: float) -> tuple[float, float]:
    return NormalDist().inv_cdf((1 + confidence) / 2), NormalDist().inv_cdf(power)


def _paired(first: Sequence[Value], second: Sequence[Value]) -> list[tuple[Value, Value]]:
    if not first or len(first) != len(second):
        raise ValueError(f"no pairs of {len(first)} and {len(second)} values")
    return list(zip(first, second, strict=True))


def _odds(share: float) -> float | None:
    return share / (1 - share) if share < 1 else None


def _crossing(above: Callable[[float], bool], low: float, high: float) -> float:
    """Where a decreasing statistic comes below; `above` is true left of it."""
    for _ in range(60):
        middle = (low + high) / 2
        if above(middle):
            low = middle
        else:
            high = middle
    return (low + high) / 2
