"""The composite score of a run, as answers have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.compare.composites import speed_against
from web.api.asking import Answer

if TYPE_CHECKING:
    from results.records import RunRecord


class PartValue(Answer):
    """A part of a composite, 0 to 100, with its 95 % interval; null where it isn't known, and why."""

    value: float | None
    low: float | None
    high: float | None
    why_not: str


class Composite(Answer):
    """A composite score, 0 to 100, with its 95 % interval; null where one of its parts isn't known. partial: over
    `partial_of` alone. weights: fractions, by part. rules, speed_against, scorers (with the hash of each one's file),
    weights: composites in which any of these differs can't be compared.
    """

    value: float | None
    low: float | None
    high: float | None
    partial: float | None
    partial_of: tuple[str, ...]
    parts: dict[str, PartValue]
    weights: dict[str, float]
    rules: str
    speed_against: str
    scorers: dict[str, str]
    by_tag: dict[str, dict[str, float | None]]


def composite_of(record: RunRecord) -> Composite | None:
    """What `--scoring` computed of a run. by_tag: the composite by tag and value, such as difficulty and hard."""
    found = record.composite
    if found is None:
        return None
    by_tag: dict[str, dict[str, float | None]] = {}
    for each in found.by_tag:
        by_tag.setdefault(each.tag, {})[each.value] = each.composite.value
    return Composite(
        value=found.composite.value,
        low=found.composite.low,
        high=found.composite.high,
        partial=found.partial.value if found.partial is not None else None,
        partial_of=found.partial_of,
        parts={
            name: PartValue(value=part.value, low=part.low, high=part.high, why_not=part.why_not)
            for name, part in found.parts.items()
        },
        weights=found.weights,
        rules=found.rules,
        speed_against=speed_against(found),
        scorers=found.scorers,
        by_tag=by_tag,
    )
