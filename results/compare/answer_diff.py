"""Two answers to one problem, line beside line."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_LINES = 600  # of either text; comparing more would take seconds


class LinePair(NamedTuple):
    """A line of each text; None where only the other has one."""

    first: str | None
    second: str | None

    @property
    def same(self) -> bool:
        return self.first == self.second


def side_by_side(first: str, second: str) -> tuple[LinePair, ...] | None:
    """The lines of both texts, those that are the same beside each other. None if a text is too long to compare."""
    ours, theirs = first.split("\n"), second.split("\n")
    if max(len(ours), len(theirs)) > MOST_LINES:
        return None
    pairs: list[LinePair] = []
    matcher = difflib.SequenceMatcher(None, ours, theirs, autojunk=False)
    for _, begin, end, other_begin, other_end in matcher.get_opcodes():
        pairs += _beside(ours[begin:end], theirs[other_begin:other_end])
    return tuple(pairs)


def _beside(first: Sequence[str], second: Sequence[str]) -> list[LinePair]:
    longest = max(len(first), len(second))
    left: list[str | None] = [*first, *[None] * (longest - len(first))]
    right: list[str | None] = [*second, *[None] * (longest - len(second))]
    return [LinePair(*pair) for pair in zip(left, right, strict=True)]
