"""What of composite scores is asked for a run; refused before anything starts where it can't be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Self

import msgspec

from results.errors import UsageError
from results.scores.composite import Part
from settings.benchmarks import CODING_BENCHMARKS
from settings.scoring.options import SCORING_SETTINGS
from settings.scoring.weights import read_weights, require_known

if TYPE_CHECKING:
    from collections.abc import Mapping

    from settings.benchmarks import Benchmark

NAMES = tuple(setting.name for setting in SCORING_SETTINGS)


class ScoringAsked(msgspec.Struct, frozen=True, kw_only=True):
    """weights: as written; None: the usual ones. baseline: the name of a run. scorer: a file."""

    weights: str | None = None
    baseline: str | None = None
    target_s: float | None = None
    scorer: Path | None = None

    @classmethod
    def of(cls, asked: Mapping[str, object]) -> Self | None:
        """From a run's settings; None where no composite is asked for. Raises UsageError."""
        if not any(asked.get(name) for name in NAMES):
            return None
        weights, baseline, target_s, scorer = (asked.get(name) for name in NAMES[1:])
        found = cls(
            weights=str(weights) if weights else None,
            baseline=str(baseline) if baseline else None,
            target_s=float(str(target_s)) if target_s else None,
            scorer=Path(str(scorer)) if scorer else None,
        )
        found.require_sense()
        if (baseline or target_s) and not found.counts(Part.SPEED):
            option = "--speed-baseline" if baseline else "--speed-target-s"
            raise UsageError(
                f"{option} changes nothing: speed has no weight",
                hint=f"give it one, such as --weights correctness=80,speed=20; or leave {option} out",
                settings=("speed_baseline" if baseline else "speed_target_s", "weights"),
            )
        return found

    def counts(self, part: str) -> bool:
        """Whether the part has a weight."""
        return self.weights is None or bool(read_weights(self.weights).get(part))

    def require_sense(self) -> None:
        """Raise UsageError for what excludes each other, and for parts that nobody knows."""
        if self.baseline and self.target_s:
            raise UsageError(
                "--speed-baseline and --speed-target-s exclude each other",
                hint="speed is compared with one of them",
                settings=("speed_baseline", "speed_target_s"),
            )
        if self.scorer is not None or self.weights is not None:
            weights = read_weights(self.weights) if self.weights is not None else {}
            require_known(weights, str(self.scorer) if self.scorer else None)


def require_scorable(asked: Mapping[str, object], benchmark: Benchmark) -> ScoringAsked | None:
    """What is asked; None where nothing is. Raises UsageError for a benchmark without code to score."""
    found = ScoringAsked.of(asked)
    if found is None:
        return None
    given = next(setting.option for setting in SCORING_SETTINGS if asked.get(setting.name))
    if asked.get("script") is not None:
        raise UsageError(
            f"{given} is for our own scripts: another program's answers can't be executed again",
            hint=f"leave {given} out",
            settings=NAMES,
        )
    if benchmark.name not in CODING_BENCHMARKS:
        raise UsageError(
            f"{given} does not apply to --benchmark {benchmark.name}: its answers are no programs",
            hint=f"it is for {', '.join(CODING_BENCHMARKS)}",
            settings=NAMES,
        )
    return found
