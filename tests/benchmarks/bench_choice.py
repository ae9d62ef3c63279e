"""How often one is shown to be as good that isn't, and how often one that is alike is shown with the samples said.

`python -m tests.benchmarks --only choice`, some minutes: 2,000 synthetic choices of each kind.
"""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING

from results.stats.as_good import ERROR, samples_to_show
from results.stats.paired import POWER
from tests.benchmarks.choice_simulation import (
    EQUAL,
    MARGIN,
    WORSE,
    Scenario,
    discordance,
    shown_at_once,
    wrongly_shown,
)
from tests.benchmarks.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

CHOICES = 2000


def measure(repeats: int = CHOICES) -> Iterator[Row]:
    """repeats: choices of each kind."""
    for number, (name, scenario) in enumerate(WORSE.items()):
        wrong = fmean(wrongly_shown(scenario, repeats, seed=number))
        said = f"{repeats} times, four looks each"
        yield Row(f"choice, {name}: wrongly shown", wrong, "of 1", ERROR, said)
    for number, (name, losses) in enumerate(EQUAL.items()):
        share = discordance(Scenario(losses, 0, shared=0.9), seed=number)
        needed = samples_to_show(MARGIN, rivals=len(losses) - 1, discordance=share)
        missed = 1 - fmean(shown_at_once(Scenario(losses, needed or 0), repeats, seed=number))
        said = f"{needed} samples at {share:.1%} that differ; one of them with one rival: {1 - POWER:.0%}"
        bound = 0.25 if len(losses) == 2 else None  # with more rivals, all must be settled at once
        yield Row(f"choice, {name}: not shown", missed, "of 1", bound, said)
