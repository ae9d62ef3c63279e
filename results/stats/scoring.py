"""From the answers of a run to the figures of a suite whose score is a metric: by task, and over all.

Both sides compute them with these functions: the script for its summary, the parser from `completions.jsonl`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from statistics import fmean
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from results.records import Metric
from results.scores.metric_scoring import Scoring, TaskScoring
from results.stats.corpus_metrics import CORPUS_METRICS, Pair
from results.stats.intervals import mean_of_samples
from results.stats.resampling import corpus_interval, corpus_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from results.stats.resampling import Answers

TASK = "task"  # the tag that says of which task a sample is
PASSED = "pass@1"
OVERALL = "score"  # the metric of several tasks together


class Measured(Protocol):
    """A completion with metrics of its own."""

    @property
    def metrics(self) -> Any: ...


class Scored(Measured, Protocol):
    """A completion as far as its score goes; see `results.records.Completion`."""

    @property
    def task_id(self) -> str: ...
    @property
    def index(self) -> int: ...
    @property
    def completion(self) -> Any: ...
    @property
    def expected(self) -> Any: ...
    @property
    def tags(self) -> Mapping[str, str]: ...


class TaskAnswers(msgspec.Struct, frozen=True):
    """The completions of one task by sample, in the order of their indices."""

    name: str
    scoring: TaskScoring
    samples: dict[str, tuple[Scored, ...]]

    @property
    def main(self) -> str:
        return self.scoring.metrics[0]

    def values(self, metric: str) -> dict[str, float]:
        """A mean metric by sample; 0 for an answer that has none, because it was empty or lost."""
        return {
            task_id: math.fsum(value_of(each, metric) for each in some) / len(some)
            for task_id, some in self.samples.items()
        }

    def pairs(self) -> dict[str, list[Pair]]:
        """What was read and expected, by sample."""
        return {task_id: [*map(pair_of, some)] for task_id, some in self.samples.items()}

    def value(self, metric: str) -> float:
        """One of its metrics."""
        if metric in CORPUS_METRICS:
            return corpus_value(metric, [*self.pairs().values()], self.scoring.positive)
        return fmean(self.values(metric).values())

    def figure(self, metric: str) -> Metric:
        """One of its metrics, with its interval."""
        if metric in CORPUS_METRICS:
            return corpus_figure(metric, [*self.pairs().values()], self.scoring.positive)
        values = [*self.values(metric).values()]
        verdicts = sum(map(len, self.samples.values()))
        whole = all(value in {0.0, 1.0} for value in values)
        return mean_of_samples(values, verdicts if whole or verdicts > len(values) else None)


def value_of(completion: Measured, metric: str) -> float:
    """What a completion has under a metric's name, from 0 to 1; 0 for nothing, or what is no number."""
    values = completion.metrics
    value = values.get(metric) if isinstance(values, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return 0.0
    return min(1.0, max(0.0, float(value)))


def pair_of(completion: Scored) -> Pair:
    """What was read in an answer, None for nothing, and what was expected."""
    read = completion.completion
    return Pair(read if isinstance(read, str) and read else None, str(completion.expected))


def corpus_figure(metric: str, answers: Answers, positive: str) -> Metric:
    """A metric of all answers together, with its bootstrap interval, if resampling changes it at all."""
    value = corpus_value(metric, answers, positive)
    interval = corpus_interval(metric, answers, positive)
    if interval is None:
        return Metric(value=value)
    stderr, low, high = interval
    return Metric(value=value, stderr=stderr, low=low, high=high)


def tasks_of(completions: Iterable[Scored], scoring: Scoring) -> list[TaskAnswers]:
    """The tasks that have answers, in the suite's order. Those of a suite with a single task need no tag."""
    found: dict[str, dict[str, list[Scored]]] = {name: defaultdict(list) for name in scoring.tasks}
    only = next(iter(found)) if len(found) == 1 else None
    for completion in completions:
        name = only if only is not None else completion.tags.get(TASK, "")
        if name in found:
            found[name][completion.task_id].append(completion)
    return [
        TaskAnswers(
            name,
            scoring.tasks[name],
            {task_id: tuple(sorted(some, key=lambda each: each.index)) for task_id, some in samples.items()},
        )
        for name, samples in found.items()
        if samples
    ]


def figures_of(completions: Iterable[Scored], scoring: Scoring) -> dict[str, Metric]:
    """Every figure by name, the score first where it is a metric; empty without completions.

    Of a single task: its metrics by their names, and the main one of the samples with each tag, as in
    "token_f1 difficulty=easy". Of several: "score", then "mcc task=cola" and so on. Then those beside.
    """
    completions = [*completions]
    return {**_of_tasks(tasks_of(completions, scoring), scoring), **_beside(completions, scoring)}


def score_of(completions: Iterable[Scored], scoring: Scoring) -> float | None:
    """The score in percent, where it is a metric; None without completions."""
    tasks = tasks_of(completions, scoring)
    values = [task.value(task.main) for task in tasks]
    weights = weights_of(tasks, scoring)
    return 100 * math.fsum(w * value for w, value in zip(weights, values, strict=True)) if tasks else None


def _of_tasks(tasks: Sequence[TaskAnswers], scoring: Scoring) -> dict[str, Metric]:
    if len(scoring.tasks) == 1:
        return _of_one(tasks[0]) if tasks else {}
    if not tasks:
        return {}
    by_task = {task.name: {name: task.figure(name) for name in task.scoring.metrics} for task in tasks}
    mains = [by_task[task.name][task.main] for task in tasks]
    named = {
        f"{metric} {TASK}={task}": figure
        for task, figures in by_task.items()
        for metric, figure in figures.items()
    }
    return {OVERALL: weighted_mean(mains, weights_of(tasks, scoring)), **named}


def _beside(completions: Sequence[Scored], scoring: Scoring) -> dict[str, Metric]:
    if not scoring.beside or not completions:
        return {}
    (every,) = tasks_of(completions, Scoring(tasks={"": TaskScoring(metrics=scoring.beside)}))
    return {name: every.figure(name) for name in scoring.beside}


def weights_of(tasks: Sequence[TaskAnswers], scoring: Scoring) -> list[float]:
    """How much each task counts; 1 in all."""
    counts = [len(task.samples) if scoring.by_samples else 1 for task in tasks]
    return [count / sum(counts) for count in counts]


def main_metric(scoring: Scoring) -> str:
    """The name of the figure that is the score."""
    if not scoring.tasks:
        return PASSED
    return next(iter(scoring.tasks.values())).metrics[0] if len(scoring.tasks) == 1 else OVERALL


def weighted_mean(metrics: Sequence[Metric], weights: Sequence[float]) -> Metric:
    """The mean of independent figures with its interval, from theirs; no interval if one has none.

    Zou & Donner (2008), "Construction of confidence limits about effect measures: a general approach", Statistics in
    Medicine 27 (the method of variance estimates recovery): the distances from each value to its limit add as squares.
    """
    value = math.fsum(weight * each.value for weight, each in zip(weights, metrics, strict=True))
    lows = [each.low for each in metrics if each.low is not None]
    highs = [each.high for each in metrics if each.high is not None]
    errors = [each.stderr for each in metrics if each.stderr is not None]
    if len(lows) < len(metrics) or len(highs) < len(metrics):
        return Metric(value=value)
    values = [each.value for each in metrics]
    return Metric(
        value=value,
        stderr=_root(weights, errors, [0.0] * len(errors)) if len(errors) == len(metrics) else None,
        low=value - _root(weights, values, lows),
        high=value + _root(weights, highs, values),
    )


def _root(weights: Sequence[float], upper: Sequence[float], lower: Sequence[float]) -> float:
    return math.hypot(*(w * (a - b) for w, a, b in zip(weights, upper, lower, strict=True)))


def _of_one(task: TaskAnswers) -> dict[str, Metric]:
    found = {name: task.figure(name) for name in task.scoring.metrics}
    tagged: dict[tuple[str, str], dict[str, tuple[Scored, ...]]] = defaultdict(dict)
    for task_id, some in task.samples.items():
        for tag in some[0].tags.items():
            tagged[tag][task_id] = some
    values: dict[str, int] = defaultdict(int)
    for name, _ in tagged:
        values[name] += 1
    for (name, value), samples in sorted(tagged.items()):
        if values[name] > 1:
            found[f"{task.main} {name}={value}"] = TaskAnswers("", task.scoring, samples).figure(task.main)
    return found
