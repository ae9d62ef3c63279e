"""Two texts side by side: which lines belong together, and where in a changed line they differ.

It is `difflib.SequenceMatcher` with a bound on its work: texts made of few different lines would take it minutes.
`difflib.HtmlDiff` is not used; it compares the characters of all changed lines with each other, and took 12 seconds for
400 lines.
"""

from __future__ import annotations

import difflib
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST_WORK = 2_000_000  # line comparisons, half a second; beyond it, what is left counts as changed
CONTEXT = 3  # same lines that are shown around a change


@dataclass(frozen=True)
class LinePair:
    """Positions of a line in each text, from 0 on; None where only the other has one. begin, end: the characters of
    each that differ; a whole line that stands alone has none.
    """

    first: int | None
    second: int | None
    same: bool
    first_range: tuple[int, int] = (0, 0)
    second_range: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Fold:
    """Lines that are the same in both and not shown. first, second: positions of the first of them."""

    first: int
    second: int
    lines: int


def line_pairs(first: Sequence[str], second: Sequence[str]) -> tuple[LinePair, ...]:
    """All lines of both, in order. The time is bounded, whatever the texts are."""
    pairs: list[LinePair] = []
    at = other_at = 0
    for begin, other_begin, size in (*_blocks(first, second), (len(first), len(second), 0)):
        pairs += _beside(first, second, range(at, begin), range(other_at, other_begin))
        pairs += (LinePair(begin + n, other_begin + n, True) for n in range(size))
        at, other_at = begin + size, other_begin + size
    return tuple(pairs)


def folded(pairs: Sequence[LinePair], context: int = CONTEXT) -> Iterator[LinePair | Fold]:
    """Changes with some same lines around them; the others as folds. A fold hides at least two lines."""
    near = [False] * len(pairs)
    for number, pair in enumerate(pairs):
        if not pair.same:
            for each in range(max(0, number - context), min(len(pairs), number + context + 1)):
                near[each] = True
    number = 0
    while number < len(pairs):
        end = number
        while end < len(pairs) and not near[end]:
            end += 1
        pair = pairs[number]
        if end - number >= 2 and pair.first is not None and pair.second is not None:
            yield Fold(pair.first, pair.second, end - number)
            number = end
        else:
            yield pair
            number += 1


def _blocks(first: Sequence[str], second: Sequence[str]) -> list[tuple[int, int, int]]:
    """Where both are the same: positions and number of lines, in order."""
    shorter = min(len(first), len(second))
    head = next((n for n in range(shorter) if first[n] != second[n]), shorter)
    most = shorter - head
    tail = next((n for n in range(most) if first[-1 - n] != second[-1 - n]), most)
    blocks = [(0, 0, head)] if head else []
    blocks += sorted(_inner_blocks(first, second, (head, len(first) - tail, head, len(second) - tail)))
    return [*blocks, (len(first) - tail, len(second) - tail, tail)] if tail else blocks


def _inner_blocks(
    first: Sequence[str], second: Sequence[str], whole: tuple[int, int, int, int]
) -> Iterator[tuple[int, int, int]]:
    """The longest common block, then those before and behind it, as long as the work lasts: wide pieces first."""
    matcher = difflib.SequenceMatcher(None, first, second, autojunk=False)
    counts = Counter(second)
    meets = [0]  # up to each line, how many lines of the second text it has to be compared with
    for line in first:
        meets.append(meets[-1] + 1 + counts[line])
    work = 0
    waiting = deque([whole])
    while waiting:
        begin, end, other_begin, other_end = waiting.popleft()
        work += meets[end] - meets[begin]
        if begin == end or other_begin == other_end or work > MOST_WORK:
            continue
        at, other_at, size = matcher.find_longest_match(begin, end, other_begin, other_end)
        if size:
            yield at, other_at, size
            waiting.append((begin, at, other_begin, other_at))
            waiting.append((at + size, end, other_at + size, other_end))


def _beside(first: Sequence[str], second: Sequence[str], ours: range, theirs: range) -> Iterator[LinePair]:
    """Changed lines beside each other, as long as both have any."""
    for number in range(max(len(ours), len(theirs))):
        one = ours[number] if number < len(ours) else None
        other = theirs[number] if number < len(theirs) else None
        if one is None or other is None:
            yield LinePair(one, other, False)
        else:
            yield LinePair(one, other, False, *_differing(first[one], second[other]))


def _differing(first: str, second: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """The characters between what both lines begin and end with; nothing is marked where they share too little."""
    shorter = min(len(first), len(second))
    head = next((n for n in range(shorter) if first[n] != second[n]), shorter)
    most = shorter - head
    tail = next((n for n in range(most) if first[-1 - n] != second[-1 - n]), most)
    if 2 * (head + tail) < shorter:
        return (0, 0), (0, 0)
    return (head, len(first) - tail), (head, len(second) - tail)
