"""How two runs of a suite whose score is a metric differ, on the same samples.

A mean over samples is tested by the signs of the differences, or by McNemar where each sample is right or wrong; a
metric of all answers together, and the mean over several tasks, by swapping the answers of the two runs
(`results.stats.resampling`). The score is the one figure that is asked about; all others are adjusted together (Holm).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from results.records import Metric
from results.stats.corpus_metrics import CORPUS_METRICS
from results.stats.paired import (
    PairedResult,
    agreeing,
    compare_fractions,
    compare_verdicts,
    with_holm,
)
from results.stats.resampling import (
    SEED,
    corpus_value,
    difference_interval,
    flipped_means,
    share_as_far,
    swapped_differences,
    swaps_for,
)
from results.stats.scoring import OVERALL, PASSED, TASK, value_of, weighted_mean, weights_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.scores.metric_scoring import Scoring
    from results.stats.resampling import Floats
    from results.stats.scoring import TaskAnswers

_CORRELATIONS = {"pearson", "spearman"}

Pairing = tuple["TaskAnswers", "TaskAnswers"]  # the same task and samples in both runs


def compare_metrics(
    tasks: Sequence[Pairing], scoring: Scoring, passed: PairedResult | None = None
) -> dict[str, PairedResult]:
    """By metric, named as in `scoring.figures_of`, the score first. Raises ValueError without samples.

    passed: of which samples passed, added where that says anything that the metrics don't.
    """
    if len(scoring.tasks) == 1:
        ((one, other),) = tasks
        found = {metric: _compare(metric, one, other) for metric in one.scoring.metrics}
    else:
        found = {
            f"{metric} {TASK}={one.name}": _compare(metric, one, other)
            for one, other in tasks
            for metric in one.scoring.metrics
        }
        found = {OVERALL: _overall(tasks, scoring, found), **found}
    if passed is not None and not any(_same(passed, result) for result in found.values()):
        found[PASSED] = passed
    (name, score), *others = found.items()
    adjusted = with_holm([result for _, result in others])
    return {name: score, **dict(zip((name for name, _ in others), adjusted, strict=True))}


def main_result(tasks: Sequence[Pairing], scoring: Scoring) -> PairedResult:
    """Only the score's."""
    if len(scoring.tasks) == 1:
        ((one, other),) = tasks
        return _compare(one.main, one, other)
    mains = {f"{one.main} {TASK}={one.name}": _compare(one.main, one, other) for one, other in tasks}
    return _overall(tasks, scoring, mains)


def sample_values(task: TaskAnswers) -> dict[str, float]:
    """How good each sample's answers are, to say on which a run did better: its main metric, or, if that is one of all
    answers together, whether they are right. Empty for correlations.
    """
    if task.main in _CORRELATIONS:
        return {}
    if task.main not in CORPUS_METRICS:
        return task.values(task.main)
    return {
        task_id: sum(pair.predicted == pair.expected for pair in pairs) / len(pairs)
        for task_id, pairs in task.pairs().items()
    }


def _same(one: PairedResult, other: PairedResult) -> bool:
    differ = (one.only_first, one.only_second)
    return (one.first, one.second) == (other.first, other.second) and differ == (
        other.only_first,
        other.only_second,
    )


def _compare(metric: str, one: TaskAnswers, other: TaskAnswers) -> PairedResult:
    if metric in CORPUS_METRICS:
        return _of_all(metric, one, other)
    both = (one.samples, other.samples)
    first, second = (
        [[value_of(each, metric) for each in run[task_id]] for task_id in one.samples] for run in both
    )
    whole = all(len(values) == 1 and values[0] in {0.0, 1.0} for values in (*first, *second))
    if whole:
        return compare_verdicts(*([values[0] == 1.0 for values in run] for run in (first, second)))
    return compare_fractions(*([math.fsum(each) / len(each) for each in run] for run in (first, second)))


def _of_all(metric: str, one: TaskAnswers, other: TaskAnswers) -> PairedResult:
    positive, paired = one.scoring.positive, other.pairs()
    first = [*one.pairs().values()]
    second = [paired[task_id] for task_id in one.samples]
    draws = swaps_for(len(first))
    values = [corpus_value(metric, answers, positive) for answers in (first, second)]
    difference = values[1] - values[0]
    p_value = share_as_far(swapped_differences(metric, first, second, positive, draws=draws), difference)
    low, high = agreeing(*difference_interval(metric, first, second, positive), difference, p_value)
    better = _better(one, other)
    return PairedResult(
        samples=len(first),
        first=values[0],
        second=values[1],
        difference=difference,
        low=low,
        high=high,
        p_value=p_value,
        adjusted_p=p_value,
        test=_drawn(draws),
        only_first=better[0],
        only_second=better[1],
    )


def _overall(tasks: Sequence[Pairing], scoring: Scoring, by_metric: dict[str, PairedResult]) -> PairedResult:
    import numpy as np

    weights = weights_of([one for one, _ in tasks], scoring)
    mains = [by_metric[f"{one.main} {TASK}={one.name}"] for one, _ in tasks]
    draws = swaps_for(sum(result.samples for result in mains))
    drawn = np.sum(
        [
            weight * _draw(one, other, draws, SEED + number)
            for number, (weight, (one, other)) in enumerate(zip(weights, tasks, strict=True))
        ],
        axis=0,
    )
    difference = weighted_mean(
        [Metric(value=each.difference, low=each.low, high=each.high) for each in mains], weights
    )
    p_value = share_as_far(drawn, difference.value)
    low, high = agreeing(
        difference.low if difference.low is not None else -1.0,
        difference.high if difference.high is not None else 1.0,
        difference.value,
        p_value,
    )
    first, second = (
        math.fsum(weight * getattr(each, run) for weight, each in zip(weights, mains, strict=True))
        for run in ("first", "second")
    )
    return PairedResult(
        samples=sum(result.samples for result in mains),
        first=first,
        second=second,
        difference=difference.value,
        low=low,
        high=high,
        p_value=p_value,
        adjusted_p=p_value,
        test=_drawn(draws),
        only_first=sum(result.only_first for result in mains),
        only_second=sum(result.only_second for result in mains),
    )


def _draw(one: TaskAnswers, other: TaskAnswers, draws: int, seed: int) -> Floats:
    """The differences of a task's main metric, the two runs' answers swapped at random."""
    if one.main in CORPUS_METRICS:
        paired = other.pairs()
        first, second = [*one.pairs().values()], [paired[task_id] for task_id in one.samples]
        return swapped_differences(one.main, first, second, one.scoring.positive, draws=draws, seed=seed)
    first_values, second_values = one.values(one.main), other.values(one.main)
    differences = [second_values[task_id] - value for task_id, value in first_values.items()]
    return flipped_means(differences, draws=draws, seed=seed)


def _better(one: TaskAnswers, other: TaskAnswers) -> tuple[int, int]:
    """On how many samples each run did better."""
    first, second = sample_values(one), sample_values(other)
    gains = [second[task_id] - value for task_id, value in first.items()]
    return sum(gain < 0 for gain in gains), sum(gain > 0 for gain in gains)


def _drawn(draws: int) -> str:
    return f"swap test, {draws:,} drawn"
