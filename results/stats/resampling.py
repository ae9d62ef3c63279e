"""Metrics of all answers together, resampled: bootstrap intervals, and the test of two runs by swapping their answers.

Everything is drawn with a fixed seed, so that the same answers always give the same figures. The bootstrap of a metric
of classes adds wrong answers, as the interval of Bonett & Price does (`results.stats.paired.mean_interval`): without
them, twenty right answers of twenty would leave no doubt at all.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from results.stats.corpus_metrics import CORPUS_METRICS, Pair
from results.stats.intervals import CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Whole = NDArray[np.int64]

SEED = 20260101
DRAWS = 2000  # of a bootstrap
MOST_SWAPS, FEWEST_SWAPS = 10_000, 2000
_SWAPPED = 20_000_000  # draws times samples, from which on there are fewer draws
_CHUNK = 100  # draws whose counts are in memory at once
_CORRELATIONS = {"pearson", "spearman"}

Answers = list[list[Pair]]  # of each sample, as many as it has completions


def swaps_for(samples: int) -> int:
    """How often the answers of two runs are swapped for a p-value."""
    return max(FEWEST_SWAPS, min(MOST_SWAPS, _SWAPPED // max(1, samples)))


def corpus_value(name: str, answers: Answers, positive: str = "") -> float:
    """The mean of the metric over the first completions of all samples, over the second ones, and so on."""
    cells, (index,) = _indexed(answers)
    return float(_values(name, cells, positive, iter([index]))[0])


def corpus_interval(
    name: str, answers: Answers, positive: str = "", *, draws: int = DRAWS
) -> tuple[float, float, float] | None:
    """The standard error and the 95 % interval of such a value; None where resampling always gives the same."""
    import numpy as np

    values = _bootstrap(name, [answers], [_wrong(name, answers)], positive, draws)[0]
    if np.ptp(values) < 1e-12:
        return None
    value = corpus_value(name, answers, positive)
    low, high = _percentiles(values)
    return float(values.std(ddof=1)), min(low, value), max(high, value)


def difference_interval(
    name: str, first: Answers, second: Answers, positive: str = ""
) -> tuple[float, float]:
    """The 95 % interval of second minus first, the same samples drawn of both."""
    wrong, right = (
        _wrong(name, first),
        [[Pair(each[0].expected, each[0].expected)] for each in _wrong(name, first)],
    )
    one, other = _bootstrap(name, [first, second], [[*wrong, *right], [*right, *wrong]], positive, DRAWS)
    low, high = _percentiles(other - one)
    value = corpus_value(name, second, positive) - corpus_value(name, first, positive)
    return min(low, value), max(high, value)


def swapped_differences(
    name: str, first: Answers, second: Answers, positive: str = "", *, draws: int, seed: int = SEED
) -> Floats:
    """Second minus first, where each sample's answers went to the other run by the toss of a coin.

    If the two runs are equal, all these are as likely as the difference that was seen: approximate randomization,
    Noreen (1989), "Computer-intensive methods for testing hypotheses", and Yeh (2000), "More accurate tests for the
    statistical significance of result differences", COLING.
    """
    import numpy as np

    cells, (one, other) = _indexed(first, second)
    chance = np.random.default_rng(seed)
    heads = [chance.random(len(one)) < 0.5 for _ in range(draws)]
    swapped = _values(name, cells, positive, (np.where(head[:, None], other, one) for head in heads))
    kept = _values(name, cells, positive, (np.where(head[:, None], one, other) for head in heads))
    return kept - swapped


def flipped_means(differences: Sequence[float], *, draws: int, seed: int = SEED) -> Floats:
    """The mean of these differences with random signs."""
    import numpy as np

    chance = np.random.default_rng(seed)
    sizes = np.abs(np.asarray(differences, dtype=float))
    flipped = sizes[sizes > 0]
    parts = []
    for start in range(0, draws, _CHUNK):
        rows = min(_CHUNK, draws - start)
        signs = 2.0 * chance.integers(0, 2, size=(rows, len(flipped)), dtype=np.int8) - 1
        parts.append(signs @ flipped)
    return np.concatenate(parts) / len(sizes)


def share_as_far(drawn: Floats, seen: float) -> float:
    """The p-value: the share of the drawn differences, the seen one among them, that are as far from 0.

    Phipson & Smyth (2010), "Permutation p-values should never be zero", Stat. Appl. Genet. Mol. Biol. 9.
    """
    import numpy as np

    far = int((np.abs(drawn) >= abs(seen) - 1e-12).sum())
    return (far + 1) / (len(drawn) + 1)


def _indexed(*runs: Answers) -> tuple[list[Pair], list[Whole]]:
    """The different pairs, and for each run the number of that of each sample (row) and completion (column)."""
    import numpy as np

    place: dict[Pair, int] = {}
    width = min(len(sample) for run in runs for sample in run)
    found = [
        np.array([[place.setdefault(pair, len(place)) for pair in sample[:width]] for sample in run])
        for run in runs
    ]
    return [*place], found


def _values(name: str, cells: Sequence[Pair], positive: str, drawn: Iterator[Whole]) -> Floats:
    """The metric of each drawn set of answers, given as `_indexed` does."""
    import numpy as np

    found = []
    while chunk := list(itertools.islice(drawn, _CHUNK)):
        by_column = [
            np.array([np.bincount(index[:, column], minlength=len(cells)) for index in chunk], dtype=float)
            for column in range(chunk[0].shape[1])
        ]
        found.append(np.mean([CORPUS_METRICS[name](counts, cells, positive) for counts in by_column], axis=0))
    return np.concatenate(found)


def _bootstrap(
    name: str, runs: Sequence[Answers], added: Sequence[Answers], positive: str, draws: int
) -> list[Floats]:
    """The metric of each run, for samples drawn with replacement, the same of all runs.

    added: samples that aren't there; one of them is drawn as often as one that is, for one run, two for two.
    """
    import numpy as np

    count, more = len(runs[0]), len(added[0])
    width = min(len(sample) for run in runs for sample in run)
    found = []
    for run, extra in zip(runs, added, strict=True):
        cells, (index,) = _indexed([*run, *([sample[0]] * width for sample in extra)])
        chance = np.random.default_rng(SEED)

        def drawn(chance: np.random.Generator = chance, index: Whole = index) -> Iterator[Whole]:
            for _ in range(draws):
                chosen = chance.integers(0, count, count)
                if more:
                    hit = chance.random(count) < len(runs) / (count + len(runs))
                    chosen[hit] = count + chance.integers(0, more, int(hit.sum()))
                yield index[chosen]

        found.append(_values(name, cells, positive, drawn()))
    return found


def _wrong(name: str, answers: Answers) -> Answers:
    """One sample for each class that was expected and each other that it may be taken for; none for correlations."""
    if name in _CORRELATIONS:
        return []
    expected = sorted({pair.expected for sample in answers for pair in sample})
    said = sorted({pair.predicted for sample in answers for pair in sample if pair.predicted} | {*expected})
    return [[Pair(other, label)] for label in expected for other in said if other != label] or [
        [Pair(None, label)] for label in expected
    ]


def _percentiles(values: Floats) -> tuple[float, float]:
    import numpy as np

    tail = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)
