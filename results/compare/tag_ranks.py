"""Which of several comparable runs is the best on the problems with each value of a tag, such as a difficulty.

As in `versus_best`, every run is tested against the one with the highest score, here on the problems with that value.
The p-values are adjusted (Holm) for all pairs on all values together, so that at most 5 % of such tables wrongly call
a run worse anywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from results.compare.metric_pair import scoring_of
from results.compare.versus_best import (
    PairedTest,
    Rank,
    Versus,
    adjusted_for_choice,
    decode_test,
    lost_too_many,
    outcomes_in,
    paired_test,
    stopped_by_race,
    versus_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from results.compare.leaderboard import Row
    from results.records import Outcome
    from results.store.run_store import RunStore, TagCounts

_SCALES = (
    ("easy", "medium", "hard", "extreme"),
    ("introductory", "interview", "competition"),
    ("beginner", "intermediate", "advanced", "expert"),
)
_TEST = "by tag 1"  # of one pair; counted up when its arithmetic changes


@dataclass(frozen=True)
class TagRanks:
    """values: of the tag, see `ordered_values`. counts, versus: by value, then by run id. best: by value, the
    run that the others are tested against; missing where none can be.
    """

    tag: str
    values: tuple[str, ...]
    counts: dict[str, dict[str, TagCounts]]
    versus: dict[str, dict[str, Versus]]
    best: dict[str, str]


def tag_ranks(rows: Sequence[Row], benchmark: str, tag: str, store: RunStore) -> TagRanks:
    """Rank these runs of one table on each value of the tag. Raises ResultsError."""
    by_id = {row.record.run_id: row for row in rows}
    counts: dict[str, dict[str, TagCounts]] = {value: {} for value in store.tags(benchmark).get(tag, ())}
    for each in store.by_tag(benchmark, tag, by_id.keys()):
        counts.setdefault(each.value, {})[each.run.run_id] = each
    counts = {value: counts[value] for value in ordered_values(counts) if counts[value]}
    able = {
        run_id
        for run_id, row in by_id.items()
        if row.score is not None
        and scoring_of(row.record) is None
        and not stopped_by_race(row.record)
        and not lost_too_many(row.record)
    }
    best: dict[str, str] = {}
    tests: list[tuple[str, str, PairedTest]] = []
    versus: dict[str, dict[str, Versus]] = {value: {} for value in counts}
    reader = _Reader(by_id, tag, store)
    pairs = 0
    for value, found in counts.items():
        there = sorted(
            able & found.keys(), key=lambda run_id: (-found[run_id].samples, -found[run_id].solved, run_id)
        )
        if len(there) < 2:
            continue
        best[value] = there[0]
        pairs += len(there) * (len(there) - 1) // 2
        for run_id, test in reader.tests(there[0], there[1:], value):
            if isinstance(test, str):
                versus[value][run_id] = Versus(Rank.UNTESTED, why=test)
            else:
                tests.append((value, run_id, test))
    adjusted = adjusted_for_choice([test.p_value for _, _, test in tests], pairs)
    for (value, run_id, test), adjusted_p in zip(tests, adjusted, strict=True):
        versus[value][run_id] = versus_of(test, adjusted_p, pairs)
    for value, run_id in best.items():
        beats = sum(each.rank is Rank.WORSE for each in versus[value].values())
        versus[value][run_id] = Versus(
            Rank.BEST, samples=counts[value][run_id].samples, pairs=pairs, beats=beats
        )
    return TagRanks(tag, tuple(counts), counts, versus, best)


def ordered_values(values: Iterable[str]) -> list[str]:
    """From the easiest to the hardest where the words say it, numbers by size, others by name."""

    def key(value: str) -> tuple[int, float, str]:
        name = value.strip().lower()
        for scale in _SCALES:
            if name in scale:
                return (0, scale.index(name), "")
        try:
            number = float(name)
        except ValueError:
            return (2, 0.0, name)
        return (1, number, name) if math.isfinite(number) else (2, 0.0, name)

    return sorted(values, key=key)


class _Reader:
    """Tests of two runs on one value, each computed once; a run is read only if a test isn't kept yet."""

    def __init__(self, rows: dict[str, Row], tag: str, store: RunStore) -> None:
        self._rows, self._tag, self._store = rows, tag, store

    def tests(self, best: str, others: Sequence[str], value: str) -> list[tuple[str, PairedTest | str]]:
        """Of each other run minus the best, or why there is none."""
        what = f"{_TEST} {self._tag}={value}"
        kept = self._store.kept_tests(best, others, what)
        new: dict[str, bytes] = {}
        found: list[tuple[str, PairedTest | str]] = []
        read: tuple[Mapping[str, Sequence[Outcome]], str] | None = None
        for run_id in others:
            if run_id in kept:
                found.append((run_id, decode_test(kept[run_id])))
                continue
            read = read or self._of(best, value)
            own, why = self._of(run_id, value)
            test = read[1] or why or paired_test(read[0], own)
            found.append((run_id, test))
            new[run_id] = msgspec.json.encode(test)
        if new:
            self._store.keep_tests(best, what, new)
        return found

    def _of(self, run_id: str, value: str) -> tuple[Mapping[str, Sequence[Outcome]], str]:
        return outcomes_in(self._rows[run_id].folder, self._store, self._tag, value)
