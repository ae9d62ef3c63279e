"""Whether intervals hold in 95 % and the paired test is wrong in 5 %: `python -m tests.benchmarks --only statistics`.

Some minutes. Of single scores the coverage is averaged over true scores from 0.02 to 0.98; single ones fluctuate, since
a score has few possible values, and the worst is shown.
"""

from __future__ import annotations

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

REPEATS = 400
MOST_OFF = 1.5  # points from 95 %, averaged
MOST_FALSE = 0.055
MOST_MISSED = 0.065


def measure(repeats: int = REPEATS) -> list[Row]:
    """repeats: runs of each true score, and pairs of runs of each kind."""
    rows = [_row(f"{samples} samples, pass@1 of one completion", of_one(samples)) for samples in SAMPLES]
    for samples in SAMPLES:
        for completions, k in OF_SEVERAL:
            for correlation in CORRELATIONS:
                found = of_several(samples, completions, k, correlation, repeats=repeats, seed=samples)
                name = f"{samples} samples, pass@{k} of {completions}, correlation {correlation:g}"
                rows.append(_row(name, found))
    for samples in PAIRED_SAMPLES:
        for completions in PAIRED_COMPLETIONS:
            pairs = of_pairs(samples, completions, repeats=repeats, seed=samples)
            name = f"{samples} samples, {completions} completions"
            rows += [
                Row(f"{name}: false positives of the paired test", pairs.false_positives, "of 1", MOST_FALSE),
                Row(
                    f"{name}: intervals that miss the true difference",
                    pairs.missed,
                    "of 1",
                    MOST_MISSED,
                    f"of one pair of models at most {pairs.most_missed:.3f}",
                ),
            ]
    return rows


def _row(name: str, found: Coverage) -> Row:
    note = f"covers {found.mean:.1%} on average, {found.worst:.1%} at {found.worst_at:g}"
    return Row(f"{name}: off 95 %", 100 * abs(found.mean - 0.95), "points", MOST_OFF, note)
