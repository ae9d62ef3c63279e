"""How far two runs answered alike, word for word, apart from their scores."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

import msgspec

from results.records import Outcome
from results.store.answers import is_lost, read_answers, said

if TYPE_CHECKING:
    from results.store.answers import RunAnswers
    from results.store.run_folder import RunFolder


class ChangedAnswer(msgspec.Struct, frozen=True):
    """One completion that the runs answered differently. first_difference: how many characters are the same before."""

    task_id: str
    index: int
    first_difference: int | None
    first: Outcome
    second: Outcome


class ChangedAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """The completions of both runs, lined up by sample and index; without those that either run lost.

    changed: in how many of `compared` the model wrote something else, its thought included. median_first_difference: in
    characters from the beginning; None where nothing changed. to_pass, to_fail: completions that only the second, or
    only the first run passed; other_outcomes: that changed among the outcomes that are no pass. answers: those that
    changed, in the words or in the outcome; first_difference None: the same words.
    """

    compared: int
    changed: int
    median_first_difference: int | None
    to_pass: int
    to_fail: int
    other_outcomes: int
    answers: tuple[ChangedAnswer, ...]

    @property
    def flipped(self) -> int:
        """How many outcomes changed."""
        return self.to_pass + self.to_fail + self.other_outcomes


def changed_answers(first: RunFolder, second: RunFolder) -> ChangedAnswers | None:
    """None if a run kept no words of its model. Raises ResultsError."""
    return compare_answers(read_answers(first), read_answers(second))


def compare_answers(first: RunAnswers, second: RunAnswers) -> ChangedAnswers | None:
    """The same for answers that are read already."""
    pairs = [
        (one, other)
        for key, one in first.completions.items()
        if (other := second.completions.get(key)) is not None and not is_lost(one) and not is_lost(other)
    ]
    if not pairs or not all(any(map(said, side)) for side in zip(*pairs, strict=True)):
        return None
    found = [
        ChangedAnswer(
            one.task_id, one.index, first_difference(said(one), said(other)), one.outcome, other.outcome
        )
        for one, other in pairs
    ]
    differing = [each for each in found if each.first_difference is not None]
    flipped = [each for each in found if each.first is not each.second]
    places = [each.first_difference for each in differing if each.first_difference is not None]
    to_pass = sum(each.second is Outcome.PASSED for each in flipped)
    to_fail = sum(each.first is Outcome.PASSED for each in flipped)
    return ChangedAnswers(
        compared=len(pairs),
        changed=len(differing),
        median_first_difference=statistics.median_low(places) if places else None,
        to_pass=to_pass,
        to_fail=to_fail,
        other_outcomes=len(flipped) - to_pass - to_fail,
        answers=tuple(
            each for each in found if each.first_difference is not None or each.first is not each.second
        ),
    )


def first_difference(one: str, other: str) -> int | None:
    """How many characters are the same before the first that differs; None: they are equal."""
    if one == other:
        return None
    low, high = 0, min(len(one), len(other))
    while low < high:  # so many are the same at least, and at most
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low
