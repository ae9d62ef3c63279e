"""Two runs side by side on the samples with each tag, such as a difficulty, or a length and depth."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MOST_VALUES = 16  # of one tag, such as MMLU's subjects
_CELL = ("length", "depth")  # tags that make a table together


class TagPair(msgspec.Struct, frozen=True, kw_only=True):
    """The common samples with these tags. first, second: how many each run solved; parts where a sample has several
    completions. Where the score is a metric, the sum of its values.
    """

    tags: dict[str, str]
    samples: int
    first: float
    second: float


def by_tag(
    pairs: Iterable[tuple[str, float, float]],
    tags_of: Mapping[str, Mapping[str, str]],
) -> tuple[TagPair, ...]:
    """For each tag with 2 to 16 values, in the order of the samples, and for each length and depth.

    pairs: id of each sample, and how far each run solved it, from 0 to 1. tags_of: by id.
    """
    found: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = defaultdict(list)
    for task_id, first, second in pairs:
        tags = tags_of.get(task_id, {})
        solved = (first, second)
        for tag in tags.items():
            found[(tag,)].append(solved)
        if all(name in tags for name in _CELL):
            found[tuple((name, tags[name]) for name in _CELL)].append(solved)
    values = defaultdict(set)
    for group in found:
        if len(group) == 1:
            values[group[0][0]].add(group[0][1])
    return tuple(
        TagPair(
            tags=dict(group),
            samples=len(solved),
            first=sum(first for first, _ in solved),
            second=sum(second for _, second in solved),
        )
        for group, solved in found.items()
        if len(group) > 1 or 1 < len(values[group[0][0]]) <= MOST_VALUES
    )
