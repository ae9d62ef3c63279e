"""Find the first bad one in a sequence, with few tests: binary search that skips what can't be tested, starts from what
is known already, and says where good and bad don't follow each other in order.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Verdict(enum.StrEnum):
    GOOD = "good"
    BAD = "bad"
    SKIPPED = "skipped"  # it can't be tested


@dataclass(frozen=True, kw_only=True)
class Bisection:
    """verdicts: by position, of those that were tested or known. first_bad: where it turns for the last time before the
    end; None if the last one is not bad. last_good: before it; None if the first one is bad already. between: positions
    that can't be tested and lie between the two, each of which may be the first bad one. out_of_order: bad ones before
    a good one: there was another change, which was undone.
    """

    verdicts: Mapping[int, Verdict]
    last_good: int | None = None
    first_bad: int | None = None
    between: tuple[int, ...] = ()
    out_of_order: tuple[int, ...] = ()


def bisect(
    count: int, test: Callable[[int], Verdict], known: Mapping[int, Verdict] | None = None
) -> Bisection:
    """Find where good turns to bad for the last time before the end of the sequence.

    test: called at most once for each position and for no known one: the last one, the first one, then halves. At
    most log2(count) + 2 tests, if none is skipped. Raises ValueError for an empty sequence, and what `test` raises.
    """
    if count < 1:
        raise ValueError("nothing to search in")
    verdicts = dict(known or {})

    def verdict(position: int) -> Verdict:
        if position not in verdicts:
            verdicts[position] = test(position)
        return verdicts[position]

    last = next((at for at in reversed(range(count)) if verdict(at) is not Verdict.SKIPPED), None)
    if last is None or verdict(last) is Verdict.GOOD:
        return Bisection(verdicts=verdicts, out_of_order=_bad_before(verdicts, count))
    good = max((at for at, each in verdicts.items() if each is Verdict.GOOD and at < last), default=None)
    if good is None:
        first = next(at for at in range(last + 1) if verdict(at) is not Verdict.SKIPPED)
        if verdict(first) is Verdict.BAD:
            return Bisection(verdicts=verdicts, first_bad=first, between=tuple(range(first)))
        good = first
    bad = last
    # Halves of the whole: a known bad one near the beginning may have been repaired since.
    while between := [at for at in range(good + 1, bad) if verdicts.get(at) is not Verdict.SKIPPED]:
        middle = between[len(between) // 2]
        if verdict(middle) is Verdict.GOOD:
            good = middle
        elif verdict(middle) is Verdict.BAD:
            bad = middle
    return Bisection(
        verdicts=verdicts,
        last_good=good,
        first_bad=bad,
        between=tuple(range(good + 1, bad)),
        out_of_order=_bad_before(verdicts, good),
    )


def _bad_before(verdicts: Mapping[int, Verdict], end: int) -> tuple[int, ...]:
    """Bad ones before the last good one that is not behind `end`."""
    good = [at for at, each in verdicts.items() if each is Verdict.GOOD and at <= end]
    return tuple(
        sorted(at for at, each in verdicts.items() if each is Verdict.BAD and at < max(good, default=0))
    )
