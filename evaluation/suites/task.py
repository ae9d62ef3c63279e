"""A suite as a benchmark: its tasks' samples in turn, so that the first ones are of all tasks."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

from evaluation.loop.solver import SingleRequest
from evaluation.suites.declared_task import DeclaredTask
from evaluation.suites.format import CodeAnswer
from evaluation.suites.rows import read_task_rows
from results.scores.metric_scoring import Scoring, TaskScoring

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evaluation.loop.grader import Grader
    from evaluation.protocols import Judgement, Prompt, PromptStyle, Sample, Solver
    from evaluation.suites.loader import SuiteFile
    from evaluation.suites.rows import NumberedRow, TaskRows
    from results.messages import Message
    from results.prompts.prompt_file import Example
    from results.records import Completion, Metric
    from results.scores.scored_continuation import ScoredContinuation

_IDENTIFYING = 3  # prompts of each task, by which a changed wording is known


class SuiteRows:
    """The rows of all tasks of a suite. Raises BenchError."""

    def __init__(self, file: SuiteFile) -> None:
        self.file = file
        self.by_task: dict[str, TaskRows] = {name: read_task_rows(file, name) for name in file.suite.tasks}

    @property
    def sha256(self) -> str:
        """Of all files; of a single task's, its own."""
        found = [rows.sha256 for rows in self.by_task.values()]
        return found[0] if len(found) == 1 else hashlib.sha256("\n".join(found).encode()).hexdigest()


def executes_code(file: SuiteFile) -> bool:
    """Whether answers to any of its tasks are programs."""
    return any(isinstance(task.answer, CodeAnswer) for task in file.suite.tasks.values())


class SuiteTask:
    """Implements `Task`. likelihoods, in_chat, grader: as in `DeclaredTask`."""

    json_schema: dict[str, Any] | None = None
    judge_workers = 0  # of one that executes code, the grader's
    stop: tuple[str, ...] = ()  # each sample has its own
    solver: Solver = SingleRequest()

    def __init__(
        self,
        rows: SuiteRows,
        *,
        style: PromptStyle,
        likelihoods: bool = False,
        in_chat: bool = False,
        grader: Grader | None = None,
    ) -> None:
        self.style = style
        if grader is not None and executes_code(rows.file):
            self.judge_workers = grader.workers
        self._suite = rows.file.suite
        self.tasks: Mapping[str, DeclaredTask] = {
            name: DeclaredTask(
                rows.file, name, style, found, likelihoods=likelihoods, in_chat=in_chat, grader=grader
            )
            for name, found in rows.by_task.items()
        }
        self._samples = _Samples(self.tasks)

    def load(self) -> None:
        """Nothing to do: the rows came with the constructor."""

    def get_task_name(self) -> str:
        """The suite's name."""
        return self._suite.name

    def get_samples(self, limit: int | None) -> Sequence[Sample]:
        """The first row of each task, then the second of each, and so on: the first `limit` of them, or all."""
        return self._samples[:limit]

    def get_prompt(self, sample: Sample) -> Prompt:
        """What the model is asked. Raises UsageError for a row that the suite's texts don't fit."""
        return self._task_of(sample).prompt(sample)

    def worked_example(self, sample: Sample) -> Example:
        """The question alone, and what is right to say. Raises UsageError for a row that the suite doesn't fit."""
        return self._task_of(sample).worked_example(sample)

    def calculate_metrics(self, prediction: str, expected: Any, sample: Sample) -> Judgement:
        """Read the answer and compute the task's metrics."""
        return self._task_of(sample).judge(prediction, expected, sample)

    def judge_transcript(self, transcript: Sequence[Message], sample: Sample) -> Judgement:
        """Never called: a single request leaves no transcript."""
        raise NotImplementedError

    def judge_continuations(self, scored: Sequence[ScoredContinuation], sample: Sample) -> Judgement:
        """As `calculate_metrics`, from the scores of what the sample's prompt may go on with."""
        return self._task_of(sample).judge_scored(scored, sample)

    def aggregate_metrics(self, completions: Sequence[Completion]) -> Mapping[str, Metric]:
        """Nothing: `scoring` says how answers become figures."""
        del completions
        return {}

    @property
    def scoring(self) -> Scoring:
        """How answers become the score: by the tasks' metrics."""
        return Scoring(
            tasks={
                name: TaskScoring(metrics=task.metrics, positive=task.declared.positive)
                for name, task in self.tasks.items()
            },
            by_samples=self._suite.score == "samples",
        )

    def identity(self) -> list[Prompt]:
        """Prompts that stand for all: these follow from the suite, its data and the program alone."""
        for task in self.tasks.values():
            for row in task.rows.rows[:1]:
                task.require_metrics(row)  # before anything is asked
        first = (task.sample(row) for task in self.tasks.values() for row in task.rows.rows[:_IDENTIFYING])
        return [self.get_prompt(sample) for sample in first]

    def _task_of(self, sample: Sample) -> DeclaredTask:
        if len(self.tasks) == 1:
            return next(iter(self.tasks.values()))
        return self.tasks[sample.task_id.split("/")[-2]]


class _Samples(Sequence["Sample"]):
    """The samples of all tasks in turn, each made when it is asked for: of a large suite, a few are often enough."""

    def __init__(
        self,
        tasks: Mapping[str, DeclaredTask],
        places: Sequence[tuple[DeclaredTask, NumberedRow]] | None = None,
        made: dict[str, Sample] | None = None,
    ) -> None:
        self._tasks = tasks
        self._places = _in_turn(tasks) if places is None else places
        self._made: dict[str, Sample] = {} if made is None else made

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> _Samples: ...
    def __getitem__(self, index: int | slice) -> Sample | _Samples:
        if isinstance(index, slice):
            return _Samples(self._tasks, self._places[index], self._made)
        task, row = self._places[index]
        key = task.task_id(row)
        if key not in self._made:
            self._made[key] = task.sample(row)
        return self._made[key]


def _in_turn(tasks: Mapping[str, DeclaredTask]) -> list[tuple[DeclaredTask, NumberedRow]]:
    columns = [[(task, row) for row in task.rows.rows] for task in tasks.values()]
    return [place for turn in itertools.zip_longest(*columns) for place in turn if place is not None]
