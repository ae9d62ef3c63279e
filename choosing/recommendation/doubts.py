"""What makes a decision doubtful, and what would decide, as sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from choosing.recommendation.answered import SAMPLES
from choosing.recommendation.contender import best_of, points_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from choosing.recommendation.constraints import Constraints
    from choosing.recommendation.contender import Contender
    from results.stats.as_good import Selection

SENSITIVE_SCORE = 5  # times the tolerance: below, the tolerance is a large part of what is solved


def sensitivity(contenders: Sequence[Contender], constraints: Constraints) -> list[str]:
    best = best_of(contenders).answered.score
    if best < SENSITIVE_SCORE * constraints.tolerance_points:
        points = points_text(constraints)
        return [
            f"harm among the few that are solved: the best one solves {best:.1f} of 100, and {points} are a large part"
        ]
    if min(each.answered.score for each in contenders) > 97:
        return ["all solve nearly everything: harder benchmarks may tell them apart"]
    return []


def farther(chosen: Contender, contenders: Sequence[Contender]) -> list[str]:
    """A doubt if others predict more like the reference, whatever the benchmarks say."""
    own = chosen.fidelity.mean_nats
    known = [each for each in contenders if each.fidelity.mean_nats is not None]
    nearest = min(known, key=lambda each: each.fidelity.mean_nats or 0.0, default=chosen)
    if own is None or nearest is chosen:
        return []
    near = nearest.fidelity.mean_nats or 0.0
    return [
        f"what it may cost elsewhere: {nearest.label} is nearer to the reference, {near:.4f} against {own:.4f} nats"
    ]


def what_it_takes(contenders: Sequence[Contender], selection: Selection) -> str:
    known = {
        i: each.samples_needed
        for i, each in enumerate(selection.standings)
        if each.samples_needed is not None
    }
    if not known:
        return (
            "Each one is behind another by the tolerance or more in what was seen; more samples, or models that differ "
            "less, may decide."
        )
    first = min(known, key=lambda i: (known[i] or 0, i))
    needed = known[first] or 0
    own = contenders[first]
    more = max(needed - own.answered.samples, 1)
    asked = own.answered.solved
    rest = sum(max(SAMPLES.get(name, 0) - len(tasks), 0) for name, tasks in asked.items())
    ways = [f"leave out --limit ({rest:,} more)"] if rest else []
    # The problems of human_eval_plus and mbpp_plus are those of human_eval and mbpp.
    others = [name for name in SAMPLES if name not in asked and not name.endswith("_plus")]
    ways += [f"add {name} ({SAMPLES[name]:,})" for name in others]
    return (
        f"About {more:,} more samples would show {own.label} in four of five cases, if the differences seen are the "
        f"true ones: {' or '.join(ways)}. A wider tolerance chosen now would not be fair."
    )
