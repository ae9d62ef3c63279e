"""A candidate that meets all constraints, with what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from choosing.recommendation.fidelity import UNKNOWN, Fidelity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from choosing.recommendation.answered import Answered
    from choosing.recommendation.constraints import Constraints
    from choosing.recommendation.measured_speed import MeasuredSpeed


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A candidate that meets all constraints, with what was measured of it."""

    key: str
    label: str
    speed: MeasuredSpeed
    answered: Answered
    fidelity: Fidelity = UNKNOWN


def best_of(contenders: Sequence[Contender]) -> Contender:
    """The highest score, of those that were not stopped at a glance."""
    most = max(each.answered.samples for each in contenders)
    return max(
        (each for each in contenders if each.answered.samples == most), key=lambda each: each.answered.score
    )


def points_text(constraints: Constraints) -> str:
    points = constraints.tolerance_points
    return f"{points:g} point{'s' * (points != 1)}"
