"""`--rejudge`: the verdicts of an earlier run again, from its answers, under today's rules; no model is asked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from evaluation.loop.checkpoint import JOURNAL_NAME, Journal, check_settings, read_settings
from evaluation.loop.grader import Grader
from evaluation.loop.prompted_task import told_warnings
from evaluation.loop.rejudging import rejudge, require_answers
from evaluation.loop.runner import Evaluation
from evaluation.loop.summary import summarize
from evaluation.protocols import PromptStyle
from results.completion_lines import latest
from results.durable import explained
from results.errors import ResultsError
from results.files import read_file
from results.prompts.sent_prompts import read_prompts, write_prompts
from settings.metric_texts import OWN_METRICS
from settings.suites import IDENTITY as SUITE_IDENTITY
from settings.verdict_rules import rules_of

if TYPE_CHECKING:
    from pathlib import Path

    from evaluation.loop.checkpoint import Settings
    from evaluation.protocols import Task
    from results.records import Completion
    from sandbox.opening import OpeningSandbox
    from scripts.arguments import Arguments
    from scripts.benchmark_program import BenchmarkProgram
    from scripts.events import Events


async def rejudge_benchmark(
    benchmark: BenchmarkProgram,
    parent: Path,
    arguments: Arguments,
    events: Events,
    *,
    opening: OpeningSandbox | None = None,
) -> None:
    """Judge the answers in the folder `parent` and say the summary. Called again, it does what is missing.

    Raises BenchError.
    """
    earlier = _settings_of(parent, benchmark)
    style = PromptStyle(earlier.prompt_style)
    own = {**benchmark.options, **(benchmark.style_options(style) if benchmark.style_options else {})}
    known = {
        name: value
        for name, value in earlier.options.items()
        if value is not None and name not in {OWN_METRICS, *SUITE_IDENTITY}  # those of today judge
    }
    settings = msgspec.structs.replace(
        earlier, options={**own, **known}, **rules_of(benchmark.name)._asdict()
    )
    with explained("read", parent / JOURNAL_NAME):
        recorded = list(latest(read_file(parent / JOURNAL_NAME).splitlines()).values())
    grader = Grader(
        level=arguments.sandbox,
        timeout_s=earlier.timeout_s,
        memory_bytes=earlier.memory_limit_bytes,
        opening=opening,
    )
    task = benchmark.make_task(style, grader)
    samples = {sample.task_id: sample for sample in task.get_samples(None)}
    require_answers(recorded, samples, str(parent))
    async with Journal(arguments.output) as journal:
        finished = journal.look()
        before = read_settings(arguments.output)
        if before is not None:
            check_settings(before, settings, arguments.output)
        journal.go_on()
        journal.bind(settings)
        write_prompts(arguments.output, read_prompts(parent).values())
        events.emit("start", benchmark=benchmark.name, total=len(recorded), finished=len(finished))
        events.say(f"{benchmark.name}: judging {len(recorded)} answers of {parent.name} again")

        def judged(done: int) -> None:
            events.progress({"done": done, "total": len(recorded), "in_flight": 0})

        try:
            if benchmark.known_programs is not None:
                good, bad = benchmark.known_programs()
                await asyncio.to_thread(grader.open)
                await asyncio.to_thread(grader.self_test, good, bad)
            completions = await rejudge(
                task,
                samples,
                recorded,
                journal,
                finished=finished,
                on_judged=judged,
                opens_thought=bool(settings.style_choice.get("opens_thought")),
            )
        finally:
            grader.close()
    summary = recorded_summary(benchmark, task, settings, completions)
    warnings = [*grader.warnings, *summary["warnings"]]
    for warning in warnings:
        events.say(f"WARNING: {warning}")
    facts = {"warnings": warnings, "prompt_style": settings.style_choice}
    events.emit("summary", **{**summary, **facts}, sandbox=grader.describe())


def _settings_of(parent: Path, benchmark: BenchmarkProgram) -> Settings:
    settings = read_settings(parent)
    if settings is None:
        raise ResultsError(
            f"{parent} has no settings.json, so it is not known what its answers were given to",
            hint="only runs of our own scripts can be judged again",
        )
    if settings.benchmark != benchmark.name:
        raise ResultsError(
            f"{parent} holds answers to {settings.benchmark}, not to {benchmark.name}",
            hint=f"use scripts.run_{settings.benchmark}",
        )
    if settings.data_sha256 != benchmark.data_sha256:
        raise ResultsError(
            f"{parent} holds answers to another data set (sha256 {settings.data_sha256[:8]}... and not "
            f"{benchmark.data_sha256[:8]}...)",
            hint="give the data set and the options that the run had; a changed data set needs a new run",
        )
    return settings


def recorded_summary(
    benchmark: BenchmarkProgram, task: Task, settings: Settings, completions: tuple[Completion, ...]
) -> dict[str, Any]:
    """The fields of the summary event, without how long it took to answer: by this program nothing was asked."""
    summary = summarize(
        Evaluation(completions=completions, generate_s=0.0, new=0, new_tokens=0),
        task.aggregate_metrics(completions),
        benchmark=benchmark.name,
        style=settings.prompt_style,
        max_tokens=settings.max_tokens,
        scoring=benchmark.scoring,
    )
    details = dict(benchmark.details(completions)) if benchmark.details is not None else {}
    told = told_warnings(task, completions)
    warnings = [*summary["warnings"], *told, *details.pop("warnings", [])]
    return {**summary, **details, "generate_s": None, "warnings": warnings}
