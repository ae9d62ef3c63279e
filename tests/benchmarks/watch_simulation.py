"""Years of looks at a model that never changes, and single looks at one that does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from results.stats.sentinel import Alarm, RunFigures, level_per_test, look

if TYPE_CHECKING:
    from collections.abc import Callable

    Source = Callable[[], RunFigures]


@dataclass(frozen=True)
class Kind:
    """How runs of one build differ. flips: share of samples whose verdict a run draws by chance; changes: share whose
    words it draws. numerics: whether each build draws them once, and each of its runs has the same. spread: standard
    deviation of the logarithm of the speed. heavy: of Student's t with 3 degrees of freedom, of the same spread.
    """

    flips: float
    changes: float
    numerics: bool = False
    spread: float = 0.01
    heavy: bool = False


KINDS = {
    "one slot, the same answers each time": Kind(flips=0.0, changes=0.0, spread=0.003),
    "several slots, 3 % of verdicts and 10 % of answers change by chance": Kind(flips=0.03, changes=0.10),
    "20 % of verdicts and 60 % of answers change by chance": Kind(flips=0.20, changes=0.60, spread=0.03),
    "each build flips 10 % of the verdicts, as often up as down": Kind(
        flips=0.10, changes=0.0, numerics=True
    ),
    "speeds with heavy tails": Kind(flips=0.03, changes=0.10, spread=0.02, heavy=True),
}


def build(
    kind: Kind, truth: np.ndarray, random: np.random.Generator, *, drop: float = 0.0, slower: float = 0.0
) -> Source:
    """A source of runs of one build. truth: the verdict of each sample that doesn't change by chance. drop: share of
    all samples that it loses; slower: the share of its speed that it loses.
    """
    own = np.random.default_rng(random.integers(1 << 62))
    damaged = own.random(len(truth)) < drop / max(truth.mean(), 1e-9)
    seed = int(own.integers(1 << 62))

    def run() -> RunFigures:
        chance = np.random.default_rng(seed) if kind.numerics else own
        drawn = chance.random(len(truth)) < kind.flips
        passed = np.where(drawn, chance.random(len(truth)) < 0.5, truth) & ~damaged
        words = np.where(chance.random(len(truth)) < kind.changes, chance.integers(0, 4, len(truth)), 0)
        noise = own.standard_t(3) / np.sqrt(3) if kind.heavy else own.standard_normal()
        speed = 100 * (1 - slower) * np.exp(kind.spread * noise)
        return RunFigures(passed.tolist(), (words * 4 + passed * 2 + damaged).tolist(), float(speed))

    return run


def alarms(baseline: list[RunFigures], new: Source, level: float) -> set[Alarm]:
    """Of one look, with a second run where the first is suspicious."""
    runs = [new()]
    found = look(baseline, runs, level=level)
    if found.suspicious:
        runs.append(new())
        found = look(baseline, runs, level=level)
    return set(found.alarms)


def false_years(kind: Kind, *, years: int, looks: int, samples: int, seed: int) -> dict[Alarm, float]:
    """The share of years with a false alarm, each with its own baseline and a new build at each look."""
    random = np.random.default_rng(seed)
    level = level_per_test(looks)
    count = dict.fromkeys(Alarm, 0)
    for _ in range(years):
        truth = random.random(samples) < random.uniform(0.2, 0.8)
        first = build(kind, truth, random)
        baseline = [first(), first()]
        seen: set[Alarm] = set()
        for _ in range(looks):
            found = alarms(baseline, build(kind, truth, random), level)
            seen |= found - {Alarm.ANSWERS} if kind.numerics else found
        for alarm in seen:
            count[alarm] += 1
    return {alarm: number / years for alarm, number in count.items()}


def power(
    kind: Kind, alarm: Alarm, *, looks: int, samples: int, seed: int, drop: float = 0.0, slower: float = 0.0
) -> float:
    """The share of looks at such a damaged build with that alarm, at the level of daily looks."""
    random = np.random.default_rng(seed)
    level, hits = level_per_test(), 0
    for _ in range(looks):
        truth = random.random(samples) < 0.5
        first = build(kind, truth, random)
        new = build(kind, truth, random, drop=drop, slower=slower)
        hits += alarm in alarms([first(), first()], new, level)
    return hits / looks
