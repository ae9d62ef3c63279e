"""A task whose answers are also measured by metrics of a user's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evaluation.metrics.own import OwnMetric
    from evaluation.protocols import Judgement, Sample, Task
    from results.messages import Message


def _row(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data set's own row, where a suite keeps it among other things."""
    fields = getattr(data.get("row"), "fields", None)
    return dict(fields["row"] if fields is not None else data)


class MeasuredTask:
    """Another task, all of whose judgements have more metrics; everything else is that task's."""

    def __init__(self, task: Task, metrics: Sequence[OwnMetric]) -> None:
        self._task = task
        self._metrics = metrics

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)

    def calculate_metrics(self, prediction: str, expected: Any, sample: Sample) -> Judgement:
        """The task's own, and more metrics. Raises BenchError."""
        return self._measured(self._task.calculate_metrics(prediction, expected, sample), prediction, sample)

    def judge_transcript(self, transcript: Sequence[Message], sample: Sample) -> Judgement:
        """The same of a conversation, whose last text is the answer."""
        said = next((each.content for each in reversed(transcript) if each.role == "assistant"), "")
        return self._measured(self._task.judge_transcript(transcript, sample), said or "", sample)

    def judge_continuations(self, scored: Any, sample: Sample) -> Judgement:
        """The same of the likeliest continuation."""
        judgement = self._task.judge_continuations(scored, sample)
        return self._measured(judgement, judgement.completion, sample)

    def _measured(self, judgement: Judgement, answer: str, sample: Sample) -> Judgement:
        if judgement.broken:
            return judgement
        facts = (answer, sample.expected, _row(sample.data))
        more = {metric.name: metric(*facts, task_id=sample.task_id) for metric in self._metrics}
        return msgspec.structs.replace(judgement, metrics={**judgement.metrics, **more})
