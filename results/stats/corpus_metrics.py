"""Metrics of all answers together, which are no mean over samples: MCC, F1 by class, correlations.

All are computed from how often each pair of a prediction and what was expected was seen, for many such counts at once:
that makes resampling fast. An answer in which nothing could be read is a prediction of its own, None: a wrong one
of no class, and for correlations one that says nothing (it gets the mean of the others).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class Pair(NamedTuple):
    """What was read in an answer, None for nothing, and what was expected."""

    predicted: str | None
    expected: str


def corpus_metric(name: str, pairs: Sequence[Pair], positive: str = "") -> float:
    """One metric of these pairs; 0 where it is undefined, as with a single class. positive: the class of `f1`,
    `precision` and `recall`. Raises KeyError for another name, ValueError without pairs.
    """
    import numpy as np

    if not pairs:
        raise ValueError(f"no {name} of nothing")
    counts: dict[Pair, int] = {}
    for pair in pairs:
        counts[pair] = counts.get(pair, 0) + 1
    values = CORPUS_METRICS[name](np.array([[*counts.values()]], dtype=float), [*counts], positive)
    return float(values[0])


def _labels(cells: Sequence[Pair]) -> list[str]:
    return sorted(
        {cell.expected for cell in cells} | {cell.predicted for cell in cells if cell.predicted is not None}
    )


def _by_label(counts: Floats, cells: Sequence[Pair], labels: Sequence[str]) -> tuple[Floats, Floats, Floats]:
    """For each row of counts and each label: how often it was right, said, and expected."""
    import numpy as np

    right, said, expected = (np.zeros((len(counts), len(labels))) for _ in range(3))
    place = {label: number for number, label in enumerate(labels)}
    for column, cell in enumerate(cells):
        if cell.expected in place:
            expected[:, place[cell.expected]] += counts[:, column]
        if cell.predicted in place:
            said[:, place[cell.predicted]] += counts[:, column]
            if cell.predicted == cell.expected:
                right[:, place[cell.predicted]] += counts[:, column]
    return right, said, expected


def _share(part: Floats, whole: Floats) -> Floats:
    """Their quotients; 0 where the whole is 0."""
    import numpy as np

    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def mcc(counts: Floats, cells: Sequence[Pair], _positive: str) -> Floats:
    """Matthews' correlation coefficient, of any number of classes.

    Gorodkin (2004), "Comparing two K-category assignments by a K-category correlation coefficient", Computational
    Biology and Chemistry 28. An answer without a class counts as one more class.
    """
    import numpy as np

    right, said, expected = _by_label(counts, cells, _labels(cells))
    total = counts.sum(axis=1)
    unread = total - said.sum(axis=1)
    covariance = right.sum(axis=1) * total - (said * expected).sum(axis=1)
    spread_said = total**2 - (said**2).sum(axis=1) - unread**2
    spread_expected = total**2 - (expected**2).sum(axis=1)
    return _share(covariance, np.sqrt(np.maximum(0.0, spread_said * spread_expected)))


def f1(counts: Floats, cells: Sequence[Pair], positive: str) -> Floats:
    """F1 of the positive class."""
    right, said, expected = _by_label(counts, cells, [positive])
    return _share(2 * right, said + expected)[:, 0]


def precision(counts: Floats, cells: Sequence[Pair], positive: str) -> Floats:
    """The share of the positive class's predictions that are right."""
    right, said, _ = _by_label(counts, cells, [positive])
    return _share(right, said)[:, 0]


def recall(counts: Floats, cells: Sequence[Pair], positive: str) -> Floats:
    """The share of the positive class that was found."""
    right, _, expected = _by_label(counts, cells, [positive])
    return _share(right, expected)[:, 0]


def macro_f1(counts: Floats, cells: Sequence[Pair], _positive: str) -> Floats:
    """The mean of F1 over the classes that were expected or predicted."""
    right, said, expected = _by_label(counts, cells, _labels(cells))
    return _share(
        _share(2 * right, said + expected).sum(axis=1), ((said + expected) > 0).sum(axis=1).astype(float)
    )


def micro_f1(counts: Floats, cells: Sequence[Pair], _positive: str) -> Floats:
    """F1 of all classes' right, said and expected labels together."""
    right, said, expected = _by_label(counts, cells, _labels(cells))
    return _share(2 * right.sum(axis=1), (said + expected).sum(axis=1))


def weighted_f1(counts: Floats, cells: Sequence[Pair], _positive: str) -> Floats:
    """The mean of F1 over the classes, by how often each was expected."""
    right, said, expected = _by_label(counts, cells, _labels(cells))
    return _share((_share(2 * right, said + expected) * expected).sum(axis=1), expected.sum(axis=1))


def pearson(counts: Floats, cells: Sequence[Pair], _positive: str) -> Floats:
    """Pearson's correlation of the numbers said and expected."""
    said, expected = _numbers(counts, cells)
    return _correlation(counts, said, expected)


def spearman(counts: Floats, cells: Sequence[Pair], _positive: str) -> Floats:
    """Spearman's: Pearson's of the ranks, with mean ranks for ties."""
    import numpy as np

    said = [_number(cell.predicted) for cell in cells]
    read = np.array([value is not None for value in said])
    ranks = _ranks(np.where(read, counts, 0), [0.0 if value is None else value for value in said])
    ranks = _with_mean(counts, ranks, read)
    return _correlation(counts, ranks, _ranks(counts, [_number(cell.expected) or 0.0 for cell in cells]))


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else None
    except ValueError:
        return None
    return value if value is not None and math.isfinite(value) else None


def _numbers(counts: Floats, cells: Sequence[Pair]) -> tuple[Floats, Floats]:
    import numpy as np

    said = [_number(cell.predicted) for cell in cells]
    read = np.array([value is not None for value in said])
    values = np.array([0.0 if value is None else value for value in said])
    expected = np.array([_number(cell.expected) or 0.0 for cell in cells])
    return _with_mean(counts, np.broadcast_to(values, counts.shape), read), np.broadcast_to(
        expected, counts.shape
    )


def _with_mean(counts: Floats, values: Floats, read: Any) -> Floats:
    """The values, with the mean of each row's read ones where nothing was read."""
    import numpy as np

    weights = np.where(read, counts, 0)
    means = _share((weights * values).sum(axis=1), weights.sum(axis=1))
    return np.where(read, values, means[:, None])


def _ranks(counts: Floats, values: Sequence[float]) -> Floats:
    """The mean rank of each cell's value among all that were counted, for each row of counts."""
    import numpy as np

    _, group = np.unique(np.asarray(values), return_inverse=True)
    sizes = np.zeros((len(counts), int(group.max()) + 1))
    np.add.at(sizes.T, group, counts.T)
    middle = np.cumsum(sizes, axis=1) - (sizes - 1) / 2
    return np.asarray(middle[:, group], dtype=float)


def _correlation(counts: Floats, one: Floats, other: Floats) -> Floats:
    import numpy as np

    total = counts.sum(axis=1, keepdims=True)
    one = one - (counts * one).sum(axis=1, keepdims=True) / total
    other = other - (counts * other).sum(axis=1, keepdims=True) / total
    spread = np.sqrt((counts * one**2).sum(axis=1) * (counts * other**2).sum(axis=1))
    smallest = 1e-12 * total[:, 0]  # what rounding leaves of a constant
    return np.clip(
        _share((counts * one * other).sum(axis=1), np.where(spread > smallest, spread, 0.0)), -1.0, 1.0
    )


CORPUS_METRICS: Mapping[str, Callable[[Floats, Sequence[Pair], str], Floats]] = {
    "mcc": mcc,
    "f1": f1,
    "precision": precision,
    "recall": recall,
    "macro_f1": macro_f1,
    "micro_f1": micro_f1,
    "weighted_f1": weighted_f1,
    "pearson": pearson,
    "spearman": spearman,
}
