"""How often `watch-build` is wrong in a year of nightly looks, and what it sees: `--only watch`, some minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.stats.sentinel import LOOKS_A_YEAR, YEAR_ERROR, Alarm, level_per_test, samples_for_drop
from tests.benchmarks.rows import Row
from tests.benchmarks.watch_simulation import KINDS, false_years, power

if TYPE_CHECKING:
    from collections.abc import Iterator

YEARS = 200  # of each kind
SAMPLES = 164


def measure(repeats: int = YEARS) -> Iterator[Row]:
    """repeats: years of each kind."""
    for number, (name, kind) in enumerate(KINDS.items()):
        wrong = false_years(kind, years=repeats, looks=LOOKS_A_YEAR, samples=SAMPLES, seed=number)
        each = ", ".join(f"{alarm} {share:.1%}" for alarm, share in wrong.items())
        yield Row(f"watch, {name}: years with a false alarm", sum(wrong.values()), "of 1", YEAR_ERROR, each)
    noisy = [*KINDS.values()][1]
    for drop in (0.05, 0.10, 0.20):
        samples = samples_for_drop(drop, noisy.flips, level_per_test())
        seen = power(noisy, Alarm.SCORE, looks=repeats, samples=samples, seed=0, drop=drop)
        yield Row(f"watch, {100 * drop:.0f} points lost, {samples} samples: missed", 1 - seen, "of 1", 0.25)
    for slower in (0.05, 0.10, 0.15, 0.20):
        seen = power(noisy, Alarm.SPEED, looks=repeats, samples=2, seed=0, slower=slower)
        yield Row(f"watch, {slower:.0%} slower, two runs of each: missed", 1 - seen, "of 1")
