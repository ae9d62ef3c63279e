"""Metrics of all answers together, resampled: bootstrap intervals, and the test of two runs by swapping their answers.

Everything is drawn with a fixed seed, so that the same answers always give the same figures. The bootstrap of a metric
of classes adds wrong answers, as the interval of Bonett & Price does (`results.stats.paired.mean_interval`): without
them, twenty right answers of twenty would leave no doubt at all.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

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
_AT_ONCE = 200_000  # answers of draws in memory
_CORRELATIONS = {"pearson", "spearman"}

Answers = list[list[Pair]]  # of each sample, as many as it has completions


def swaps_for(samples: int) -> int:
    """How often the answers of two runs are swapped for a p-value."""
    return max(FEWEST_SWAPS, min(MOST_SWAPS, _SWAPPED // max(1, samples)))


def corpus_value(name: str, answers: Answers, positive: str = "") -> float:
    """The mean of the metric over the first completions of all samples, over the second ones, and so on."""
    kinds = _Kinds.of([answers])
    return float(kinds.values(name, positive, (0, kinds.counts[None]))[0])


def corpus_interval(
    name: str, answers: Answers, positive: str = "", *, draws: int = DRAWS
) -> tuple[float, float, float] | None:
    """The standard error and the 95 % interval of such a value; None where resampling always gives the same."""
    import numpy as np

    values = _bootstrap(name, [answers], [_wrong(name, answers)], positive, draws)[0]
    if np.ptp(values) < 1e-12:
        return None
    value = corpus_value(name, answers, positive)
    low, high = percentiles(values, len(answers))
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
    low, high = percentiles(other - one, len(first))
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

    kinds = _Kinds.of([first, second])
    chance = np.random.default_rng(seed)
    found = []
    for rows in _batches(draws, len(kinds.counts)):
        kept = chance.binomial(kinds.counts, 0.5, (rows, len(kinds.counts)))
        swapped = kinds.counts - kept
        one, other = (kinds.values(name, positive, (run, kept), (1 - run, swapped)) for run in (0, 1))
        found.append(other - one)
    return np.concatenate(found)


def flipped_means(differences: Sequence[float], *, draws: int, seed: int = SEED) -> Floats:
    """The mean of these differences with random signs."""
    import numpy as np

    chance = np.random.default_rng(seed)
    sizes = np.abs(np.asarray(differences, dtype=float))
    flipped = sizes[sizes > 0]
    parts = []
    for rows in _batches(draws, len(flipped)):
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


def _batches(draws: int, answers: int) -> Iterator[int]:
    """How many draws of so many answers to hold in memory at once, one batch after another."""
    size = max(1, _AT_ONCE // max(1, answers))
    yield from [size] * (draws // size)
    if draws % size:
        yield draws % size


class _Kinds(msgspec.Struct, frozen=True):
    """Samples whose answers are the same in all runs are of one kind. counts: of the samples of each. cells: the
    different pairs of what was read and expected. places: of each run, by kind (row) and completion (column), which of
    these it is.
    """

    counts: Whole
    cells: tuple[Pair, ...]
    places: tuple[Whole, ...]

    @classmethod
    def of(cls, runs: Sequence[Answers], added: Sequence[Answers] = ()) -> _Kinds:
        """added: kinds of samples of which there are none yet; of each run one pair."""
        import numpy as np

        width = min(len(sample) for run in runs for sample in run)
        samples = zip(*([tuple(sample[:width]) for sample in run] for run in runs), strict=True)
        kinds = Counter(samples)
        rows = [*kinds, *zip(*([(sample[0],) * width for sample in run] for run in added), strict=True)]
        place: dict[Pair, int] = {}
        places = tuple(
            np.array([[place.setdefault(pair, len(place)) for pair in row[run]] for row in rows])
            for run in range(len(runs))
        )
        return cls(np.array([*kinds.values(), *[0] * (len(rows) - len(kinds))]), tuple(place), places)

    def values(self, name: str, positive: str, *drawn: tuple[int, Whole]) -> Floats:
        """The metric for each row of the numbers of samples of each kind. drawn: these, and whose answers to take."""
        import numpy as np
        from scipy.sparse import csr_array

        kinds, width = self.places[0].shape
        found = []
        for column in range(width):
            counts = np.zeros((len(drawn[0][1]), len(self.cells)))
            for run, numbers in drawn:
                places = self.places[run][:, column]
                where = csr_array((np.ones(kinds), (np.arange(kinds), places)), (kinds, len(self.cells)))
                counts += numbers @ where
            found.append(CORPUS_METRICS[name](counts, self.cells, positive))
        return np.asarray(np.mean(found, axis=0), dtype=float)


def _bootstrap(
    name: str, runs: Sequence[Answers], added: Sequence[Answers], positive: str, draws: int
) -> list[Floats]:
    """The metric of each run, for samples drawn with replacement, the same of all runs.

    added: samples that aren't there; one of them is drawn as often as one that is, for one run, two for two.
    """
    import numpy as np

    kinds = _Kinds.of(runs, added)
    more, count = len(added[0]), int(kinds.counts.sum())
    shares = kinds.counts / count
    if more:
        rare = len(runs) / (count + len(runs))
        shares = shares * (1 - rare)
        shares[-more:] = rare / more
    chance = np.random.default_rng(SEED)
    parts: list[list[Floats]] = [[] for _ in runs]
    for rows in _batches(draws, len(shares)):
        numbers = chance.multinomial(count, shares, rows)
        for run, found in enumerate(parts):
            found.append(kinds.values(name, positive, (run, numbers)))
    return [np.concatenate(found) for found in parts]


def _wrong(name: str, answers: Answers) -> Answers:
    """One sample for each class that was expected and each other that it may be taken for; none for correlations."""
    if name in _CORRELATIONS:
        return []
    expected = sorted({pair.expected for sample in answers for pair in sample})
    said = sorted({pair.predicted for sample in answers for pair in sample if pair.predicted} | {*expected})
    return [[Pair(other, label)] for label in expected for other in said if other != label] or [
        [Pair(None, label)] for label in expected
    ]


def percentiles(values: Floats, samples: int) -> tuple[float, float]:
    """The 95 % interval of resampled values, further out where there are few samples, as Student's t is.

    Hesterberg (2015), "What teachers should know about the bootstrap", The American Statistician 69, section 5.3.
    """
    import numpy as np
    from scipy.stats import norm, t

    few = max(1, samples - 1)
    tail = 100 * float(norm.cdf(math.sqrt(samples / few) * t.ppf((1 - CONFIDENCE) / 2, few)))
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)
