"""One benchmark against one server: what to do is settled, the parts are put together, and the summary is
said.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from evaluation.loop.checkpoint import Journal, Settings, check_settings, read_settings
from evaluation.loop.grader import Grader
from evaluation.loop.requests import make_request, prompts_sha256, require_schema
from evaluation.loop.runner import Evaluation, Runner
from evaluation.loop.summary import summarize
from evaluation.models.asked import asked_by
from evaluation.models.prompt_style import StyleChoice, chat_only, choose_style
from evaluation.models.providers import get_interface_for_provider, parameters_for
from evaluation.models.server_kind import NO_TOOLS_SHOWN, shows_no_tools
from evaluation.protocols import PromptStyle
from evaluation.spending.opening import is_own, open_spending, spent_so_far
from results.errors import SAME_COMMAND, ResultsError, ScriptError, UsageError
from results.prompts.prompt_file import read_prompt_file
from results.prompts.sent_prompts import write_prompts
from results.records import Outcome
from scripts.arguments import connection_of, spending_of
from scripts.benchmark_program import with_own_metrics, with_own_prompt
from scripts.shards.chosen_samples import samples_of
from settings.samples.shards import SERVER_WARNINGS
from settings.sampling_rules import require_chat_for
from settings.verdict_rules import rules_of

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from evaluation.loop.checkpoint import Key
    from evaluation.loop.runner import Progress
    from evaluation.models.connection import ConnectionInfo
    from evaluation.models.parameters import Parameters
    from evaluation.protocols import Sample, Task
    from results.records import Completion
    from sandbox.opening import OpeningSandbox
    from scripts.arguments import Arguments
    from scripts.benchmark_program import BenchmarkProgram
    from scripts.events import Events

_CONNECT_S = 10.0
_CONNECT_RETRIES = 3
_DEFAULT_CONCURRENCY = 16  # for a server that does not say how many slots it has; vLLM batches as it likes


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
            grader=Grader(
                level=arguments.sandbox,
                timeout_s=arguments.cpu_limit,
                memory_bytes=arguments.memory_limit,
                opening=opening,
            ),
            events=events,
            journal=journal,
            finished=finished,
        )
        await session.run(old)


@dataclass(kw_only=True)
class _Session:
    benchmark: BenchmarkProgram
    arguments: Arguments
    connection: ConnectionInfo
    grader: Grader
    events: Events
    journal: Journal
    finished: dict[Key, Completion]
    parameters: Parameters = field(init=False)
    bound: Settings | None = field(init=False, default=None)
    warnings: list[str] = field(default_factory=list)

    async def run(self, old: Settings | None) -> None:
        self.parameters = parameters_for(
            self.connection,
            left_out=old.left_out or () if old is not None else (),
            sent_as=old.sent_as if old is not None else None,
            on_learnt=self._learnt,
        )
        style = self._known_style(old)
        if old is not None and style is not None:
            task = self.benchmark.make_task(style.chosen, self.grader)
            settings = self._settings(task, style)
            check_settings(old, settings, self.arguments.output)
            self.journal.go_on()
            samples = self._samples(task)
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
        opening = asyncio.get_running_loop().run_in_executor(None, self._open_grader)
        try:
            await self._evaluate(style, opening)
        finally:
            await asyncio.wait([opening])
            opening.exception()  # looked at, also where another error came first
            self.grader.close()

    def _open_grader(self) -> None:
        if self.benchmark.known_programs is None:
            return
        good, bad = self.benchmark.known_programs()
        self.grader.open()
        for warning in self.grader.warnings:
            self.events.say(f"WARNING: {warning}")
        self.grader.self_test(good, bad)

    async def _evaluate(self, style: StyleChoice | None, opening: asyncio.Future[None]) -> None:
        arguments = self.arguments
        spending = open_spending(
            spending_of(arguments),
            self.connection,
            arguments.output,
            finished=self.finished.values(),
            warn=self._warn,
        )
        interface = get_interface_for_provider(
            self.connection,
            parameters=self.parameters,
            server_wait=arguments.server_wait,
            on_outage=self._outage,
            on_wait=self.events.say,
            spending=spending,
        )
        async with contextlib.AsyncExitStack() as closing:
            if spending is not None:
                closing.push_async_callback(spending.close)
            await closing.enter_async_context(interface)
            self.events.emit("phase", phase="connect")
            properties: dict[str, Any] = {}
            check = partial(
                interface.check_connection, _CONNECT_RETRIES, max(_CONNECT_S, arguments.server_wait)
            )
            if spending is not None and arguments.cache and not is_own(self.connection):
                spending.before_sending(check)  # every answer may be kept, so that nobody needs to be there
            else:
                await check()
                properties = await interface.properties()
            self.parameters.read_properties(properties)
            if style is None and self.benchmark.find_style is not None:
                style = await self.benchmark.find_style(interface)
            if style is None:
                self.events.emit("phase", phase="probe")
                family = arguments.family_style
                style = await choose_style(
                    interface, properties, family=PromptStyle(family) if family else None
                )
            if style.chosen is PromptStyle.COMPLETION:
                require_chat_for(arguments.sampling.given, style.observed or style.rule)
            if self.benchmark.prepare is not None:
                self.events.emit("phase", phase="prepare")
                await self.benchmark.prepare(interface, style.chosen)
            concurrency = arguments.concurrency or int(properties.get("total_slots") or _DEFAULT_CONCURRENCY)
            task = self.benchmark.make_task(style.chosen, self.grader)
            self.bound = settings = self._settings(task, style)
            self.journal.bind(settings)
            sampling = self.connection.sampling
            asked = [make_request(task, sample, 0, sampling) for sample in self._samples(task)]
            if self.connection.use_guided_json:
                require_schema(asked, self.benchmark.name)
            write_prompts(arguments.output, map(asked_by, asked))
            if any(request.tools for request in asked) and shows_no_tools(properties):
                self.warnings.append(NO_TOOLS_SHOWN)
            self._started(settings, concurrency=concurrency)
            self.events.emit("phase", phase="generate")
            runner = Runner(
                task,
                interface,
                self.journal,
                sampling=sampling,
                concurrency=concurrency,
                on_progress=self._progress,
                can_judge=opening,
                opens_thought=style.opens_thought,
                corrects=arguments.shard is None,
            )
            evaluation = await _unless_it_fails(
                opening, runner.run(self._samples(task), settings.n_samples, self.finished)
            )
        if interface.refusals:
            self.warnings.append(
                f"requests refused for rate limits, and sent again: {interface.refusals}; the speed is the limits'"
            )
        self._finish(task, self.bound, evaluation)

    def _warn(self, what: str) -> None:
        self.events.say(f"WARNING: {what}")
        self.warnings.append(what)

    def _learnt(self, what: str) -> None:
        """Written down before the first completion that it is true of."""
        self.events.say(what)
        if self.bound is not None:
            self.bound = msgspec.structs.replace(self.bound, **self._learnt_settings())
            self.journal.bind(self.bound)

    def _learnt_settings(self) -> dict[str, Any]:
        return {"left_out": self.parameters.left_out or None, "sent_as": self.parameters.sent_as or None}

    def _samples(self, task: Task) -> Sequence[Sample]:
        """Those that are wanted, in their order. Raises UsageError where a shard has none."""
        return samples_of(task, self.arguments)

    def _known_style(self, old: Settings | None) -> StyleChoice | None:
        """The style where it needs no probe: the only one, asked for, or found out the first time."""
        asked, only = self.arguments.prompt_style, self.benchmark.style
        if not self.connection.facts.supports.completions:
            return chat_only(self.connection.facts, asked, only, self.benchmark.name)
        if only is not None:
            if asked not in {"auto", only}:
                raise UsageError(
                    f"{self.benchmark.name} only has prompts of style {only}, not {asked}",
                    hint="leave --prompt-style out",
                )
            return StyleChoice(requested=asked, chosen=only)
        if asked != "auto":
            return StyleChoice(requested=asked, chosen=PromptStyle(asked))
        return msgspec.convert(old.style_choice, StyleChoice) if old is not None else None

    def _settings(self, task: Task, style: StyleChoice) -> Settings:
        arguments = self.arguments
        of_style = self.benchmark.style_options(style.chosen) if self.benchmark.style_options else {}
        prompts = (
            self.benchmark.identity(style.chosen)
            if self.benchmark.identity
            else (task.get_prompt(sample) for sample in task.get_samples(None))
        )
        return Settings(
            benchmark=self.benchmark.name,
            model=arguments.model_identity or arguments.model,
            data_sha256=self.benchmark.data_sha256,
            prompts_sha256=prompts_sha256(prompts),
            prompt_style=str(style.chosen),
            stop=task.stop,
            timeout_s=arguments.cpu_limit,
            memory_limit_bytes=arguments.memory_limit,
            limit=len(self._samples(task)),
            n_samples=arguments.n_samples,
            shuffle=arguments.shuffle,
            shard=arguments.shard.written if arguments.shard else None,
            **self._provided(),
            **arguments.sampling.settings(),
            **self._learnt_settings(),
            **rules_of(self.benchmark.name)._asdict(),
            options={**self.benchmark.options, **of_style},
            style_choice=msgspec.to_builtins(style),
        )

    def _provided(self) -> dict[str, Any]:
        """What is set of the provider; nothing for a server of one's own."""
        info = self.connection
        guided = {"use_guided_json": True} if info.use_guided_json else {}
        if info.facts.is_local:
            return guided
        return {"provider": info.provider, "provider_params": dict(info.provider_params) or None, **guided}

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
        self.events.progress(vars(progress))

    def _outage(self, down: bool) -> None:
        self.events.emit("phase", phase="waiting_for_server" if down else "generate")
        self.events.say("the server is gone; waiting for it" if down else "the server is back")

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
        summary["warnings"] = [*self.grader.warnings, *summary["warnings"], *of_server]
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
