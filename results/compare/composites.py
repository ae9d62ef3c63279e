"""Composite scores side by side: which were computed alike, so that their order says something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.scores.composite import Part
from results.stats.machines import machine_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from results.records import RunRecord
    from results.scores.composite import CompositeScore, TaggedScores


@dataclass(frozen=True)
class ScoredBy:
    """What a composite was computed by; only composites of the same are ordered. weights: fractions by part, as they
    were given. speed_against: the run or the seconds that speed was compared with, in words. machine: see
    `results.stats.machines`; () where speed is no part.
    """

    rules: str
    weights: tuple[tuple[str, float], ...]
    speed_against: str
    scorers: tuple[tuple[str, str], ...]
    machine: tuple[str, ...]


def scored_by(record: RunRecord) -> ScoredBy | None:
    """None for a run without a composite."""
    found = record.composite
    if found is None:
        return None
    weights = {name: round(found.weights[name], 6) for name in _ordered(found.weights)}
    has_speed = weights.get(Part.SPEED, 0) > 0
    return ScoredBy(
        rules=found.rules,
        weights=tuple((name, weight) for name, weight in weights.items() if weight),
        speed_against=speed_against(found) if has_speed else "",
        scorers=tuple(sorted(found.scorers.items())),
        machine=machine_of(record) if has_speed else (),
    )


def what_sets_apart(one: RunRecord, other: RunRecord) -> list[str]:
    """In words, in what their composites were computed otherwise; [] where they can be compared."""
    first, second = scored_by(one), scored_by(other)
    if first is None or second is None or first == second:
        return []
    names = {
        "weights": "weights",
        "scorers": "scorers",
        "speed_against": "baselines or targets of speed",
        "machine": "machines, on which speed depends",
    }
    found = [words for name, words in names.items() if getattr(first, name) != getattr(second, name)]
    return found or ["rules"]  # other weights measure other parts, whose rules are others


def speed_against(composite: CompositeScore) -> str:
    """What speed was compared with; empty where nothing was given."""
    if composite.baseline_run:
        return f"run {composite.baseline_run}"
    return "" if composite.target_s is None else f"a target of {composite.target_s:g} s"


def kinds_of_composites(records: Iterable[RunRecord]) -> list[ScoredBy]:
    """What the composites of these runs were computed by, that of the most runs first."""
    counts: dict[ScoredBy, int] = {}
    for record in records:
        if (kind := scored_by(record)) is not None:
            counts[kind] = counts.get(kind, 0) + 1
    return sorted(counts, key=lambda kind: (-counts[kind], repr(kind)))


def part_names(composites: Iterable[CompositeScore | None]) -> list[str]:
    """The parts that any of them has or weighs: ours first, then those of scorers of one's own."""
    return _ordered(name for each in composites if each is not None for name in (*each.weights, *each.parts))


def composite_order(record: RunRecord, kinds: Sequence[ScoredBy]) -> tuple[float, ...]:
    """A key that sorts runs: one kind of composite after the other, in each the highest first, then the partial ones by
    what they are of, then runs without a composite.
    """
    found, kind = record.composite, scored_by(record)
    if found is None or kind is None:
        return (len(kinds), 0.0, 0.0, 0.0)
    return (kinds.index(kind), *parts_order(found, found.weights))


def parts_order(
    scored: CompositeScore | TaggedScores, weights: Mapping[str, float]
) -> tuple[float, float, float]:
    """The same of composites of one kind: partial ones of different parts are never mixed."""
    if scored.composite.value is not None:
        return (0.0, 0.0, -scored.composite.value)
    if scored.partial is None or scored.partial.value is None:
        return (3.0, 0.0, 0.0)
    names = _ordered(weights)
    missing = lacking(scored, weights)
    which = sum(2.0 ** names.index(name) for name in missing)
    return (1 + sum(weights[name] for name in missing), which, -scored.partial.value)


def lacking(scored: CompositeScore | TaggedScores, weights: Mapping[str, float]) -> list[str]:
    """The parts with a weight that are not known, for which there is no whole composite."""
    known = {name for name, part in scored.parts.items() if part.value is not None}
    return [name for name in _ordered(weights) if weights[name] and name not in known]


def _ordered(names: Iterable[str]) -> list[str]:
    ours = [str(part) for part in Part]
    there = dict.fromkeys(map(str, names))
    return [*(name for name in ours if name in there), *sorted(name for name in there if name not in ours)]
