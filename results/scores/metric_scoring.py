"""How the answers of a suite become its score: which metrics its tasks have."""

from __future__ import annotations

import msgspec


class TaskScoring(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one task's answers become figures. metrics: the first is the main one; each is one of `CORPUS_METRICS`, or
    the mean of what the completions have under that name. positive: the class of `f1`, `precision` and `recall`.
    """

    metrics: tuple[str, ...]
    positive: str = ""


class Scoring(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a suite's answers become its score: the mean of its tasks' main metrics. by_samples: weighted by
    their numbers of samples. beside: metrics of a user's own, means over all samples, that are no part of the score.
    Without tasks the score is the share that passed.
    """

    tasks: dict[str, TaskScoring] = {}
    by_samples: bool = False
    beside: tuple[str, ...] = ()
