"""What makes one benchmark's program differ from another's, and `--metrics` for any of them: `python -m
scripts.benchmark_program TEXT` checks that these can be called.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, cast

import msgspec

from results.errors import UsageError
from results.leaving import leave
from results.prompts.prompt_file import PROMPT_SHA256
from results.scores.metric_scoring import Scoring
from scripts.program import run_program
from settings.metric_texts import OWN_METRICS, metric_hashes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from evaluation.loop.grader import Grader, Known
    from evaluation.models.openai_interface import OpenAIInterface
    from evaluation.models.prompt_style import StyleChoice
    from evaluation.protocols import Prompt, PromptStyle, Task
    from results.prompts.prompt_file import PromptText
    from results.records import Completion
    from scripts.events import Events


class BenchmarkProgram(msgspec.Struct, frozen=True, kw_only=True):
    """One program, for `scripts.session` and `scripts.rejudging`.

    data_sha256: of the data set's file. make_task: from the prompt style, and the grader that executes
    programs. known_programs: such that a right grader passes, and such that it fails; None: nothing is
    executed, and no sandbox is opened. style: the only one that fits; None: found out by a probe.
    options: the benchmark's own settings that determine results, as JSON gives them back; style_options: those that
    depend on the style.
    details: what its summary says beside the scores; "warnings" in it go to the others.
    prepare: is called before the task is made, where its samples depend on the server. find_style: is called first, and
    gives the style where that needs no probe of the model. identity: prompts that stand for
    all of these, by which runs are known to be comparable; None: all prompts as they are sent.
    other_data: makes the task over another data set in the benchmark's form, a file or else a split of its name, for
    searches of prompts; None: there is no other.
    scoring: how metrics become the score; None: it is the share that passed.
    """

    name: str
    data_sha256: str
    make_task: Callable[[PromptStyle, Grader], Task]
    known_programs: Callable[[], tuple[Sequence[Known], Sequence[Known]]] | None = None
    style: PromptStyle | None = None
    options: Mapping[str, Any] = msgspec.field(default_factory=dict)
    style_options: Callable[[PromptStyle], Mapping[str, Any]] | None = None
    details: Callable[[Sequence[Completion]], Mapping[str, Any]] | None = None
    prepare: Callable[[OpenAIInterface, PromptStyle], Awaitable[None]] | None = None
    find_style: Callable[[OpenAIInterface], Awaitable[StyleChoice | None]] | None = None
    identity: Callable[[PromptStyle], Sequence[Prompt]] | None = None
    other_data: Callable[[Path | None, str], Callable[[PromptStyle, Grader], Task]] | None = None
    scoring: Scoring | None = None


def only_file(path: Path | None, split: str, benchmark: str) -> Path:
    """The other data set of a benchmark whose splits have no names. Raises UsageError."""
    if path is None:
        raise UsageError(
            f"--datasets: {benchmark} has no split {split!r} by name",
            hint="give a file, or only a count",
            settings=("datasets",),
        )
    return path


def with_own_metrics(benchmark: BenchmarkProgram, text: str | None) -> BenchmarkProgram:
    """The program whose answers are measured by these too. Raises UsageError for one that can't be loaded."""
    if not text:
        return benchmark
    from evaluation.loop.measured_task import MeasuredTask
    from evaluation.metrics.own import own_metrics

    metrics = own_metrics(text)
    scoring = msgspec.structs.replace(
        benchmark.scoring or Scoring(), beside=tuple(metric.name for metric in metrics)
    )

    def make_task(style: PromptStyle, grader: Grader) -> Task:
        return cast("Task", MeasuredTask(benchmark.make_task(style, grader), metrics))

    options = {**benchmark.options, OWN_METRICS: metric_hashes(text)}
    return msgspec.structs.replace(benchmark, make_task=make_task, scoring=scoring, options=options)


def with_own_prompt(benchmark: BenchmarkProgram, prompt: PromptText) -> BenchmarkProgram:
    """The program that also tells the model this; the same program where that is nothing."""
    if prompt.is_empty:
        return benchmark
    from evaluation.loop.prompted_task import PromptedTask

    def make_task(style: PromptStyle, grader: Grader) -> Task:
        return cast("Task", PromptedTask(benchmark.make_task(style, grader), prompt))

    options = {**benchmark.options, PROMPT_SHA256: prompt.sha256}
    return msgspec.structs.replace(benchmark, make_task=make_task, options=options)


async def _check(text: str, _: Events) -> None:
    from evaluation.metrics.own import own_metrics

    own_metrics(text)


if __name__ == "__main__":
    leave(run_program(lambda: sys.argv[1], _check))
