"""Composite scores of recorded runs, as `--scoring` writes them."""

from __future__ import annotations

from typing import Any

import msgspec

from results.scores.composite import CompositeScore, PartScore, TaggedScores

WEIGHTS = {"correctness": 0.4, "speed": 0.2, "quality": 0.25, "efficiency": 0.15}
NO_BASELINE = "no baseline and no target were given"


def part(value: float | None, why_not: str = "", samples: int = 20) -> PartScore:
    """With an interval of four points to each side."""
    if value is None:
        return PartScore(value=None, why_not=why_not)
    return PartScore(value=value, low=max(0.0, value - 4), high=min(100.0, value + 4), samples=samples)


def composite(
    correctness: float | None = 80.0,
    speed: float | None = 50.0,
    quality: float | None = 60.0,
    efficiency: float | None = 90.0,
    *,
    why_not: str = NO_BASELINE,
    own: dict[str, float] | None = None,
    by_difficulty: bool = False,
    **changes: Any,
) -> CompositeScore:
    """Of these parts; if one that weighs is None, it is partial. own: parts of scorers of one's own."""
    ours = {"correctness": correctness, "speed": speed, "quality": quality, "efficiency": efficiency}
    given = ours | (own or {})
    weights = changes.pop("weights", WEIGHTS)
    known = {name: value for name, value in given.items() if value is not None and weights.get(name)}
    mean = sum(weights[name] * value for name, value in known.items()) / sum(weights[name] for name in known)
    whole = len(known) == len(weights)
    parts = {name: part(value, why_not) for name, value in given.items()}
    made = CompositeScore(
        rules="1",
        weights=weights,
        parts=parts,
        composite=part(mean) if whole else PartScore(value=None, why_not="not every part is known"),
        partial=None if whole else part(mean),
        partial_of=() if whole else tuple(known),
        by_tag=tuple(
            TaggedScores(
                tag="difficulty",
                value=value,
                parts=parts,
                composite=part(mean - 10 * number) if whole else PartScore(value=None),
                partial=None if whole else part(mean - 10 * number),
            )
            for number, value in enumerate(("easy", "medium", "hard", "extreme"))
        )
        if by_difficulty
        else (),
    )
    return msgspec.structs.replace(made, **changes)
