"""The types of a composite score: its parts over a run's samples, as the record keeps it, and one sample's, a line of
`parts.jsonl`. What each part means, and where it comes from: docs/scoring.md.

A part is 0 to 100, more is better. What cannot be known is None, never 0.
"""

from __future__ import annotations

import enum
from typing import Any

import msgspec

PARTS_NAME = "parts.jsonl"
NOT_PASSED = "it did not pass"  # why an answer has no part that only passing ones have


class Part(enum.StrEnum):
    """What a composite is made of; a scorer of one's own adds a name of its own."""

    CORRECTNESS = "correctness"
    SPEED = "speed"
    QUALITY = "quality"
    EFFICIENCY = "efficiency"


class SampleParts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of `parts.jsonl`: the parts of one completion.

    task_id, index: as in its completion. tags: the sample's, such as its difficulty. parts: 0 to 100 by `Part`, or by
    the name of a scorer of one's own; a part that is not known is missing. why_not: the reason in a few words, by the
    parts that are missing. figures: what was measured, by part, with units in the names. measured_by: the rules that
    measured a part, by part; a part measured by other rules is measured again, the others are not.
    """

    task_id: str
    index: int = 0
    tags: dict[str, str] = {}
    parts: dict[str, float] = {}
    why_not: dict[str, str] = {}
    figures: dict[str, dict[str, Any]] = {}
    measured_by: dict[str, str] = {}
    answer_sha256: str = ""


class PartScore(msgspec.Struct, frozen=True, kw_only=True):
    """0 to 100 over a run's samples, with its 95 % interval. samples: those that have a value. why_not: why value is
    None, in a few words.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    samples: int = 0
    why_not: str = ""


class TaggedScores(msgspec.Struct, frozen=True, kw_only=True):
    """The same over the samples of one tag's value, such as difficulty `easy`."""

    tag: str
    value: str
    parts: dict[str, PartScore]
    composite: PartScore
    partial: PartScore | None = None


class CompositeScore(msgspec.Struct, frozen=True, kw_only=True):
    """What `--scoring` and `rescore` computed of a run.

    rules: the version of the definitions; composites of other rules or weights are not compared. weights: fractions
    that sum to 1, by part. composite: None in value where one of its parts is. partial: over `partial_of` alone, with
    their weights scaled to sum to 1; None where the composite is known, or no part is. baseline_run, target_s: what
    speed was compared with. scorers: the names of scorers of one's own, each with the hash of its file.
    """

    rules: str
    weights: dict[str, float]
    parts: dict[str, PartScore]
    composite: PartScore
    partial: PartScore | None = None
    partial_of: tuple[str, ...] = ()
    by_tag: tuple[TaggedScores, ...] = ()
    baseline_run: str = ""
    target_s: float | None = None
    scorers: dict[str, str] = {}
    warnings: tuple[str, ...] = ()
