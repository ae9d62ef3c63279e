"""Whether intervals hold in 95 % and the paired test is wrong in 5 %: `python -m tests.benchmarks --only statistics`.

Some minutes. Of single scores the coverage is averaged over true scores from 0.02 to 0.98; single ones fluctuate, since
a score has few possible values, and the worst is shown.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from tests.benchmarks import metric_simulation
from tests.benchmarks.rows import Row
from tests.benchmarks.statistics_simulation import (
    CORRELATIONS,
    OF_SEVERAL,
    PAIRED_COMPLETIONS,
    PAIRED_SAMPLES,
    SAMPLES,
    Coverage,
    of_one,
    of_pairs,
    of_several,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

REPEATS = 400
LARGE = 100  # samples; of so many and more the runs are half as many, since they take long and vary less
MOST_OFF = 1.5  # points from 95 %, averaged
MOST_FALSE = 0.055
MOST_MISSED = 0.065
MOST_SHORT = 3.5  # points, of metrics, at each number of samples
MOST_BY_CHANCE = 0.075  # of 400 pairs; 5 % are meant


def measure(repeats: int = REPEATS) -> Iterator[Row]:
    """repeats: runs of each true score, and pairs of runs of each kind."""
    for samples in SAMPLES:
        yield _row(f"{samples} samples, pass@1 of one completion", of_one(samples))
    for samples, (completions, k), correlation in itertools.product(SAMPLES, OF_SEVERAL, CORRELATIONS):
        runs = _runs(samples, repeats)
        name = f"{samples} samples, pass@{k} of {completions}, correlation {correlation:g}"
        yield _row(name, of_several(samples, completions, k, correlation, repeats=runs, seed=samples))
    for samples, completions in itertools.product(PAIRED_SAMPLES, PAIRED_COMPLETIONS):
        pairs = of_pairs(samples, completions, repeats=_runs(samples, repeats), seed=samples)
        name = f"{samples} samples, {completions} completions"
        yield Row(f"{name}: false positives of the paired test", pairs.false_positives, "of 1", MOST_FALSE)
        note = f"of one pair of models at most {pairs.most_missed:.3f}"
        yield Row(f"{name}: intervals that miss the true difference", pairs.missed, "of 1", MOST_MISSED, note)
    yield from _of_metrics(max(1, repeats // 4))


def _of_metrics(repeats: int) -> Iterator[Row]:
    for samples in metric_simulation.SAMPLES:
        covered = {"a mean of fractions": metric_simulation.mean_coverage(samples, repeats=repeats)}
        for metric in metric_simulation.METRICS:
            covered[metric] = metric_simulation.corpus_coverage(metric, samples, repeats=repeats)
        for name, share in covered.items():
            note = f"covers {share:.1%}"
            yield Row(
                f"{samples} samples, {name}: short of 95 %",
                100 * max(0.0, 0.95 - share),
                "points",
                MOST_SHORT,
                note,
            )
        wrong = metric_simulation.false_positives_of_signs(samples, repeats=repeats)
        yield Row(
            f"{samples} samples, fractions: false positives of the sign-flip test",
            wrong,
            "of 1",
            MOST_BY_CHANCE,
        )
        wrong = metric_simulation.false_positives_of_swaps("mcc", samples, repeats=repeats)
        yield Row(f"{samples} samples, mcc: false positives of the swap test", wrong, "of 1", MOST_BY_CHANCE)


def _runs(samples: int, repeats: int) -> int:
    return repeats if samples < LARGE else max(1, repeats // 2)


def _row(name: str, found: Coverage) -> Row:
    note = f"covers {found.mean:.1%} on average, {found.worst:.1%} at {found.worst_at:g}"
    return Row(f"{name}: off 95 %", 100 * abs(found.mean - 0.95), "points", MOST_OFF, note)
