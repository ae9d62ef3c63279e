"""A user's own tasks: functions and programs to write, judged by their cases in the sandbox."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluation.answers.code import COMPLETION_STOPS, from_chat, from_completion
from evaluation.answers.fences import fenced
from evaluation.answers.programs import program_from_chat, program_from_completion
from evaluation.benchmarks.tasks.grading import grade
from evaluation.benchmarks.tasks.prompts import beginning, user_prompt
from evaluation.data.data_set import DataSetTask
from evaluation.failed_checks import located
from evaluation.loop.grader import Execution
from evaluation.pass_at_k import pass_at_k_metrics
from evaluation.protocols import Judgement, Prompt, PromptStyle, Sample
from results.prompts.prompt_file import Example
from results.stats.intervals import mean_of_samples
from sandbox import SandboxError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evaluation.benchmarks.tasks.file import CodingTask
    from evaluation.loop.grader import Grader, Known
    from results.records import Completion, Metric

NAME = "tasks"
STARTER_SET = Path(__file__).with_name("starter_tasks.yaml")
WEIGHTED = "weighted"
_WRONG = ("raise SystemExit(0)\n", "import os\nos._exit(0)\n", "return (\n")


def known_solutions(tasks: Sequence[CodingTask]) -> tuple[list[Known], list[Known]]:
    """What a right grader passes, and what it fails: for its self-test."""
    solved = [task for task in tasks if task.reference_solution][:8]
    good = [_known(task, task.reference_solution) for task in solved]
    return good, [_known(task, code) for task, code in zip(tasks, _WRONG, strict=False)]


def _known(task: CodingTask, code: str) -> Known:
    def execute(grader: Grader) -> Execution:
        found = grade(code, task, grader)
        return Execution(found.passed, found.why, found.seconds)

    return execute


class OwnTasks(DataSetTask):
    """Implements `Task`."""

    def __init__(self, tasks: Sequence[CodingTask], *, style: PromptStyle, grader: Grader) -> None:
        samples = [Sample(task_id=task.id, data={}, tags={"difficulty": task.difficulty}) for task in tasks]
        super().__init__(NAME, samples, style)
        # A program may well have a function or an `if` at its top level; the body of a function ends there.
        bodies = style is PromptStyle.COMPLETION and all(task.function for task in tasks)
        self.stop = COMPLETION_STOPS if bodies else ()
        self.judge_workers = grader.workers
        self._tasks = {task.id: task for task in tasks}
        self._grader = grader

    def get_prompt(self, sample: Sample) -> Prompt:
        """The task's own words, and what kind of code is wanted."""
        return Prompt("", user_prompt(self._tasks[sample.task_id], self.style))

    def worked_example(self, sample: Sample) -> Example | None:
        """The question and the reference solution; None without one, and where only a part of it is the answer."""
        task = self._tasks[sample.task_id]
        is_chat = self.style is PromptStyle.CHAT
        if not task.reference_solution or not (is_chat or task.function is None):
            return None
        code = fenced(task.reference_solution) if is_chat else task.reference_solution
        return Example(question=user_prompt(task, self.style), answer=code, sample=sample.task_id)

    def calculate_metrics(self, prediction: str, expected: Any, sample: Sample) -> Judgement:
        """Take the code out of the answer and try every case of the task on it. Blocks; thread-safe."""
        del expected  # the cases are in the task
        task = self._tasks[sample.task_id]
        # A chat-trained model that is given a text to go on with often answers as in chat all the same.
        is_chat = self.style is PromptStyle.CHAT or prediction.lstrip().startswith("```")
        ended = False
        if task.function is None:
            code = program_from_chat(prediction) if is_chat else program_from_completion(prediction)
            program = code
        else:
            before = beginning(task)
            code, ended = (
                from_chat(prediction, before, task.function)
                if is_chat
                else from_completion(prediction, before)
            )
            program = before + code
        if not code.strip():
            return Judgement(
                passed=False, detail="no code in the answer", ended=ended, metrics={WEIGHTED: 0.0}
            )
        try:
            found = grade(program, task, self._grader)
        except SandboxError as error:
            return Judgement(passed=False, completion=code, detail=f"sandbox: {error.message}", broken=True)
        return Judgement(
            passed=found.passed,
            completion=code,
            detail=found.why,
            execute_s=found.seconds,
            metrics={WEIGHTED: found.weighted(task)},
            ended=ended,
            near_time_limit=found.near_time_limit,
            failed_check=located(found.failed_check, code, "" if task.function is None else beginning(task)),
        )

    def aggregate_metrics(self, completions: Sequence[Completion]) -> Mapping[str, Metric]:
        """pass@k, also by difficulty, and `weighted`: the mean share of passed cases."""
        return {**pass_at_k_metrics(completions), WEIGHTED: weighted_metric(completions)}


def weighted_metric(completions: Sequence[Completion]) -> Metric:
    """The mean over all completions of their weighted share of passed cases; one without an answer has 0.

    With its 95 % interval, in which the tasks are the samples.
    """
    by_task: dict[str, list[float]] = {}
    for completion in completions:
        by_task.setdefault(completion.task_id, []).append(completion.metrics.get(WEIGHTED, 0.0))
    return mean_of_samples([math.fsum(shares) / len(shares) for shares in by_task.values()], None)
