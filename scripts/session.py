"""One benchmark against one server: what to do is settled, the parts are put together, and the summary is
said.
"""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import msgspec

from evaluation.loop.checkpoint import Journal, Settings, check_settings, read_settings
from evaluation.loop.prompted_task import told_warnings
from evaluation.loop.requests import make_request, require_schema
from evaluation.loop.runner import Evaluation, Runner
from evaluation.loop.summary import summarize
from evaluation.models.asked import asked_by
from evaluation.models.server_kind import NO_TOOLS_SHOWN, shows_no_tools
from evaluation.spending.opening import spent_so_far
from results.errors import SAME_COMMAND, ResultsError, ScriptError
from results.prompts.prompt_file import read_prompt_file
from results.prompts.sent_prompts import write_prompts
from results.records import Outcome
from scripts.arguments import connection_of
from scripts.benchmark_program import with_own_metrics, with_own_prompt
from scripts.sessions.server_session import ServerSession, grader_of
from settings.samples.shards import SERVER_WARNINGS

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from evaluation.loop.runner import Progress
    from evaluation.models.prompt_style import StyleChoice
    from evaluation.protocols import Task
    from sandbox.opening import OpeningSandbox
    from scripts.arguments import Arguments
    from scripts.benchmark_program import BenchmarkProgram
    from scripts.events import Events


async def run_benchmark(
    benchmark: BenchmarkProgram,
    arguments: Arguments,
    events: Events,
    *,
    opening: OpeningSandbox | None = None,
) -> None:
    """Do what is missing in `arguments.output` and say the summary. Raises BenchError.

    opening: the sandbox for it, where that opens already.
    """
    benchmark = with_own_metrics(benchmark, arguments.metrics)
    if arguments.search is not None:
        from scripts.optimising.session import optimise_benchmark

        await optimise_benchmark(benchmark, arguments.search, arguments, events, opening=opening)
        return
    if arguments.prompt is not None:
        benchmark = with_own_prompt(benchmark, read_prompt_file(arguments.prompt).prompt)
    if arguments.rejudge is not None:
        from scripts.rejudging import rejudge_benchmark

        await rejudge_benchmark(benchmark, arguments.rejudge, arguments, events, opening=opening)
        return
    if arguments.merge_shards:
        from scripts.shards.merging import merge_shards

        await merge_shards(benchmark, arguments, events)
        return
    connection = connection_of(arguments)
    async with Journal(arguments.output) as journal:
        finished = journal.look()
        old = read_settings(arguments.output)
        if finished and old is None:
            raise ResultsError(
                f"{journal.path} holds completions, and there is no settings.json that says with which settings",
                hint="choose another --output",
            )
        session = _Session(
            benchmark=benchmark,
            arguments=arguments,
            connection=connection,
            grader=grader_of(arguments, opening),
            events=events,
            journal=journal,
            finished=finished,
        )
        await session.run(old)


class _Session(ServerSession):
    journal: Journal

    async def run(self, old: Settings | None) -> None:
        style = self.begin(old)
        if old is not None and style is not None:
            task = self.benchmark.make_task(style.chosen, self.grader)
            settings = self.settings(task, style)
            check_settings(old, settings, self.arguments.output)
            self.journal.go_on()
            samples = self.samples(task)
            keys = [(sample.task_id, index) for sample in samples for index in range(settings.n_samples)]
            if all(key in self.finished for key in keys):
                self._started(settings, concurrency=0)
                completions = tuple(self.finished[key] for key in keys)
                self._finish(
                    task, settings, Evaluation(completions=completions, generate_s=0.0, new=0, new_tokens=0)
                )
                return
        else:
            self.journal.go_on()
        # Opened and tested in a thread, while the HTTP client is imported and the model is asked.
        opening = asyncio.get_running_loop().run_in_executor(None, self.open_grader)
        try:
            await self._evaluate(style, opening)
        finally:
            await asyncio.wait([opening])
            opening.exception()  # looked at, also where another error came first
            self.grader.close()

    async def _evaluate(self, style: StyleChoice | None, opening: asyncio.Future[None]) -> None:
        arguments = self.arguments
        async with self.reach(style) as reached:
            interface, style = reached.interface, reached.style
            task = self.benchmark.make_task(style.chosen, self.grader)
            self.bound = settings = self.settings(task, style)
            self.journal.bind(settings)
            sampling = self.connection.sampling
            samples = self.samples(task)
            requests = [make_request(task, sample, sampling) for sample in samples]
            if self.connection.use_guided_json:
                require_schema(requests, self.benchmark.name)
            write_prompts(arguments.output, map(asked_by, requests))
            if any(request.tools for request in requests) and shows_no_tools(reached.properties):
                self.warnings.append(NO_TOOLS_SHOWN)
            self._started(settings, concurrency=reached.concurrency)
            self.events.emit("phase", phase="generate")
            gc.freeze()  # what is loaded stays, and to look through it once takes 20 ms
            runner = Runner(
                task,
                interface,
                self.journal,
                sampling=sampling,
                concurrency=reached.concurrency,
                on_progress=self._progress,
                can_judge=opening,
                opens_thought=style.opens_thought,
                corrects=arguments.shard is None,
            )
            asked = list(zip(samples, requests, strict=True))
            evaluation = await _unless_it_fails(opening, runner.run(asked, settings.n_samples, self.finished))
        if interface.refusals:
            self.warnings.append(
                f"requests refused for rate limits, and sent again: {interface.refusals}; the speed is the limits'"
            )
        self._finish(task, self.bound, evaluation)

    def _started(self, settings: Settings, *, concurrency: int) -> None:
        choice = settings.style_choice
        if choice["requested"] == "auto" and self.benchmark.style is None and choice.get("observed"):
            said = {name: str(choice.get(name) or "") for name in ("chosen", "own", "observed")}
            self.events.emit("style", **said)
        total = settings.limit * settings.n_samples
        self.events.emit(
            "start",
            benchmark=self.benchmark.name,
            total=total,
            finished=len(self.finished),
            completion_tokens=sum(done.completion_tokens or 0 for done in self.finished.values()),
            concurrency=concurrency,
            settings=msgspec.to_builtins(settings),
        )
        resumed = f", {len(self.finished)} of them already finished" if self.finished else ""
        self.events.say(
            f"{self.benchmark.name}: {total} completions{resumed}, {concurrency} at once, "
            f"{settings.prompt_style} style"
        )

    def _progress(self, progress: Progress) -> None:
        self.events.progress(msgspec.structs.asdict(progress))

    def _finish(self, task: Task, settings: Settings, evaluation: Evaluation) -> None:
        completions = evaluation.completions
        if all(completion.outcome is Outcome.INFRASTRUCTURE_ERROR for completion in completions):
            raise ScriptError(
                f"none of {len(completions)} completions was answered and executed: {completions[0].detail}",
                hint=f"fix that and {SAME_COMMAND}",
            )
        summary = summarize(
            evaluation,
            task.aggregate_metrics(completions),
            benchmark=self.benchmark.name,
            style=settings.prompt_style,
            max_tokens=settings.max_tokens,
            scoring=self.benchmark.scoring,
        )
        summary["samples_there"] = len(task.get_samples(None))
        details = dict(self.benchmark.details(completions)) if self.benchmark.details is not None else {}
        of_server = [*self.parameters.warnings, *self.warnings, *details.pop("warnings", [])]
        told = told_warnings(task, completions)
        summary["warnings"] = [*self.grader.warnings, *summary["warnings"], *told, *of_server]
        if self.arguments.shard is not None:  # the others are made again when all shards are there
            summary[SERVER_WARNINGS] = [*self.grader.warnings, *of_server]
        for warning in summary["warnings"]:
            self.events.say(f"WARNING: {warning}")
        outcomes = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in summary["outcomes"].items() if n)
        self.events.say(f"score {summary['score']:.2f} of 100 ({outcomes})")
        self.events.emit(
            "summary",
            **summary,
            **details,
            **spent_so_far(self.arguments.output),
            sampling=self.parameters.describe(),
            prompt_style=settings.style_choice,
            sandbox=self.grader.describe(),
        )


async def _unless_it_fails(
    opening: asyncio.Future[None], work: Coroutine[None, None, Evaluation]
) -> Evaluation:
    """What the work comes to; without a grader it is given up at once, however long the model takes to answer."""
    evaluating = asyncio.ensure_future(work)
    try:
        both: set[asyncio.Future[Any]] = {evaluating, opening}
        await asyncio.wait(both, return_when=asyncio.FIRST_EXCEPTION)
        if opening.done():
            opening.result()
        return await evaluating
    finally:
        evaluating.cancel()
        await asyncio.gather(evaluating, return_exceptions=True)
