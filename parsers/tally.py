"""Counting the verdicts of `completions.jsonl` anew, independently of the script that wrote them."""

from __future__ import annotations

import collections
import math
from typing import TYPE_CHECKING

import msgspec

from results.json_text import number
from results.records import Outcome
from results.stats.pass_at_k import pass_at
from results.store.verdicts import read_verdicts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from results.records import Metric

_LOST = Outcome.INFRASTRUCTURE_ERROR


class Tally(msgspec.Struct, frozen=True):
    """The outcomes of each sample's completions. tags: of each sample, as "difficulty=easy"; near_time_limit: how many
    completions have that mark; unreadable: lines that are none, such as a torn one; cached: answers out of a cache;
    cost_usd: of all answers that weren't lost, None unless each one's is known.
    """

    by_sample: Mapping[str, Sequence[Outcome]]
    tags: Mapping[str, frozenset[str]] = msgspec.field(default_factory=dict)
    near_time_limit: int = 0
    unreadable: int = 0
    cached: int = 0
    cost_usd: float | None = None

    @property
    def completions(self) -> int:
        return sum(map(len, self.by_sample.values()))

    @property
    def outcomes(self) -> dict[str, int]:
        """Every outcome's count, 0 too."""
        counts = collections.Counter(outcome for some in self.by_sample.values() for outcome in some)
        return {str(outcome): counts[outcome] for outcome in Outcome}

    @property
    def score_answered(self) -> float | None:
        """Percent passed of the completions that are an answer; None where there is none."""
        counts = self.outcomes
        answered = counts[Outcome.PASSED] + counts[Outcome.FAILED]
        return 100 * counts[Outcome.PASSED] / answered if answered else None

    def pass_at(self, k: int, tag: str = "") -> Metric | None:
        """The unbiased estimate over all samples, or over those with a tag; None where it is undefined: some sample
        has fewer than k completions, or there is none.
        """
        chosen = [
            some
            for task_id, some in self.by_sample.items()
            if not tag or tag in self.tags.get(task_id, frozenset())
        ]
        return pass_at([(len(some), some.count(Outcome.PASSED)) for some in chosen], k)


def read_tally(path: Path) -> Tally:
    """Count a `completions.jsonl`; the last line of a (task_id, index) holds.

    Raises ParseError, or OSError.
    """
    verdicts, unreadable = read_verdicts(path)
    by_sample: dict[str, list[Outcome]] = {}
    tags: dict[str, frozenset[str]] = {}
    for verdict in verdicts:
        by_sample.setdefault(verdict.task_id, []).append(verdict.outcome)
        tags[verdict.task_id] = frozenset(f"{tag}={value}" for tag, value in verdict.tags.items())
    near = sum(verdict.near_time_limit for verdict in verdicts)
    costs = [number(verdict.cost_usd) for verdict in verdicts if verdict.outcome is not _LOST]
    known = [cost for cost in costs if cost is not None]
    return Tally(
        by_sample,
        tags,
        near,
        unreadable,
        cached=sum(verdict.cached is True for verdict in verdicts),
        cost_usd=math.fsum(known) if costs and len(known) == len(costs) else None,
    )
