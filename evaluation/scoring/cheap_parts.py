"""Correctness and speed: parts that follow from what is recorded of an answer, and are computed anew each time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evaluation.scoring.contract import Measured
from results.records import Outcome
from results.stats.composite import REFERENCE_S, RESPONSE_S

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from results.records import Completion

WEIGHTED = "weighted"  # a completion's metric: its weighted share of passed cases


def correctness_of(completion: Completion) -> Measured:
    """The weighted share of its test cases that passed; where they have no weights, whether all did.

    What the infrastructure lost counts as failed, as it does in the run's score.
    """
    share = completion.metrics.get(WEIGHTED)
    if completion.passed or share is None or not math.isfinite(share):
        share = float(completion.passed)
    lost = completion.outcome is Outcome.INFRASTRUCTURE_ERROR
    return Measured(value=100 * min(1.0, max(0.0, share)), figures={"lost": True} if lost else {})


@dataclass(frozen=True)
class SpeedYardstick:
    """What response times are compared with. by_sample: a baseline's mean response time by task id, in seconds;
    target_s: one for all samples, where there is no baseline.
    """

    by_sample: Mapping[str, float]
    target_s: float | None = None

    @classmethod
    def of_baseline(cls, completions: Iterable[Completion]) -> SpeedYardstick:
        times: dict[str, list[float]] = {}
        for completion in completions:
            if _took(completion):
                times.setdefault(completion.task_id, []).append(completion.request_s or 0.0)
        return cls({task_id: math.fsum(some) / len(some) for task_id, some in times.items()})

    def speed_of(self, completion: Completion) -> Measured:
        """100 where it was as fast or faster."""
        if not _took(completion):
            return Measured(value=None, why_not="no response time")
        reference = self.target_s or self.by_sample.get(completion.task_id)
        if reference is None:
            return Measured(value=None, why_not="the baseline has no answer to it")
        response = completion.request_s or 0.0
        return Measured(
            value=100 * min(1.0, reference / response),
            figures={RESPONSE_S: round(response, 6), REFERENCE_S: round(reference, 6)},
        )


def _took(completion: Completion) -> bool:
    """Whether it says how long the server took: an answer out of a cache says nothing of that, nor does a lost one."""
    seconds = completion.request_s
    known = seconds is not None and math.isfinite(seconds) and seconds > 0
    return known and not completion.cached and completion.outcome is not Outcome.INFRASTRUCTURE_ERROR
