"""How often `certify` is wrong, and what it sees on 500 samples: `--only certify`, a minute or two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.stats.certification import LEVEL, Certified
from tests.benchmarks.certify_simulation import ALIKE, HARMLESS, LOSSES, verdicts
from tests.benchmarks.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMES = 2000  # of each kind
SAMPLES = (164, 500)
LUCK = 0.008  # of a share of 5 % in so many


def measure(repeats: int = TIMES) -> Iterator[Row]:
    """repeats: certificates of each kind."""
    for samples in SAMPLES:
        for number, (name, kind) in enumerate({**ALIKE, **HARMLESS}.items()):
            found = verdicts(kind, samples=samples, times=repeats, seed=number)
            note = f"{found[Certified.WITHIN_NOISE] / repeats:.1%} within noise"
            bound = LEVEL + LUCK if name in ALIKE else None
            yield Row(
                f"certify, {samples} samples, {name}: called damaging",
                found[Certified.DAMAGING] / repeats,
                "of 1",
                bound,
                note,
            )
        for number, (name, kind) in enumerate(LOSSES.items()):
            found = verdicts(kind, samples=samples, times=repeats, seed=100 + number)
            note = f"{found[Certified.WITHIN_NOISE] / repeats:.1%} called within noise"
            missed = 1 - found[Certified.DAMAGING] / repeats
            yield Row(
                f"certify, {samples} samples, 3 points lost, {name}: missed", missed, "of 1", None, note
            )
