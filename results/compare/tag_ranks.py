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
    lost_too_many,
    paired_test,
    rank_of,
    stopped_by_race,
    verdicts_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from results.compare.leaderboard import Row
    from results.store.run_store import RunStore, TagCounts
    from results.store.verdicts import CompletionVerdict

_SCALES = (
    ("easy", "medium", "hard"),
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
    for each in store.by_tag(benchmark, tag):
        if each.run.run_id in by_id:
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
        for run_id in there[1:]:
            test = reader.test(there[0], run_id, value)
            if isinstance(test, str):
                versus[value][run_id] = Versus(Rank.UNTESTED, why=test)
            else:
                tests.append((value, run_id, test))
    adjusted = adjusted_for_choice([test.p_value for _, _, test in tests], pairs)
    for (value, run_id, test), adjusted_p in zip(tests, adjusted, strict=True):
        versus[value][run_id] = Versus(
            rank_of(test.difference, adjusted_p),
            samples=test.samples,
            difference=test.difference,
            low=test.low,
            high=test.high,
            p_value=test.p_value,
            adjusted_p=adjusted_p,
            pairs=pairs,
        )
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
        self._read: dict[str, tuple[Sequence[CompletionVerdict], str]] = {}

    def test(self, best: str, run_id: str, value: str) -> PairedTest | str:
        """The test of the run minus the best, or why there is none."""
        what = f"{_TEST} {self._tag}={value}"
        if (kept := self._store.kept_test(best, run_id, what)) is not None:
            return msgspec.json.decode(kept, type=PairedTest | str)
        (first, why), (second, why_not) = self._of(best), self._of(run_id)
        one, other = self._with(first, value), self._with(second, value)
        found = why or why_not or paired_test(one, other, None)
        self._store.keep_test(best, run_id, what, msgspec.json.encode(found))
        return found

    def _of(self, run_id: str) -> tuple[Sequence[CompletionVerdict], str]:
        if run_id not in self._read:
            row = self._rows[run_id]
            self._read[run_id] = verdicts_of(row.folder, row.record, self._store)
        return self._read[run_id]

    def _with(self, verdicts: Sequence[CompletionVerdict], value: str) -> list[CompletionVerdict]:
        return [verdict for verdict in verdicts if verdict.tags.get(self._tag) == value]
