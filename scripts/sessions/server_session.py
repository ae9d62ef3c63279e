"""A program's session with a server: how it is asked is found out, and to what its answers are bound."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from evaluation.loop.checkpoint import Settings
from evaluation.loop.grader import Grader
from evaluation.loop.prompted_task import PromptedTask
from evaluation.loop.requests import prompts_sha256
from evaluation.models.prompt_style import StyleChoice, chat_only, choose_style
from evaluation.models.providers import get_interface_for_provider, parameters_for
from evaluation.protocols import PromptStyle
from evaluation.spending.opening import is_own, open_spending
from results.errors import UsageError
from scripts.arguments import spending_of
from scripts.sessions.starting_line import server_is_there
from scripts.shards.chosen_samples import samples_of
from settings.sampling_rules import require_chat_for
from settings.verdict_rules import rules_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from evaluation.loop.checkpoint import Key
    from evaluation.loop.journal import LineJournal
    from evaluation.models.connection import ConnectionInfo
    from evaluation.models.openai_interface import OpenAIInterface
    from evaluation.models.parameters import Parameters
    from evaluation.protocols import Sample, Task
    from evaluation.spending.opening import SpendingAsked
    from evaluation.spending.paid_requests import PaidRequests
    from results.records import Completion
    from sandbox.opening import OpeningSandbox
    from scripts.arguments import Arguments
    from scripts.benchmark_program import BenchmarkProgram
    from scripts.events import Events

_CONNECT_S = 10.0
_CONNECT_RETRIES = 3
_DEFAULT_CONCURRENCY = 16  # for a server that does not say how many slots it has; vLLM batches as it likes


class Reached(NamedTuple):
    """A server that is there. properties: what it says of itself. concurrency: requests at once. spending: None where
    nobody charges, and nothing is capped or kept.
    """

    interface: OpenAIInterface
    style: StyleChoice
    properties: dict[str, Any]
    concurrency: int
    spending: PaidRequests | None


def grader_of(arguments: Arguments, opening: OpeningSandbox | None) -> Grader:
    """What judges programs. opening: the sandbox for it, where that opens already."""
    return Grader(
        level=arguments.sandbox,
        timeout_s=arguments.cpu_limit,
        memory_bytes=arguments.memory_limit,
        opening=opening,
    )


@dataclass(kw_only=True)
class ServerSession:
    """The session of one benchmark. journal: of the folder that everything goes to, locked. finished: what it has."""

    benchmark: BenchmarkProgram
    arguments: Arguments
    connection: ConnectionInfo
    grader: Grader
    events: Events
    journal: LineJournal
    finished: Mapping[Key, Completion]
    parameters: Parameters = field(init=False)
    bound: Settings | None = field(init=False, default=None)
    warnings: list[str] = field(default_factory=list)

    def begin(self, old: Settings | None) -> StyleChoice | None:
        """What is known of the server before it is asked; gives the style if that is known too. Raises UsageError."""
        self.parameters = parameters_for(
            self.connection,
            left_out=old.left_out or () if old is not None else (),
            sent_as=old.sent_as if old is not None else None,
            on_learnt=self._learnt,
        )
        return self._known_style(old)

    def open_grader(self) -> None:
        """Where something is executed: open the sandbox and prove it. Blocks. Raises BenchError."""
        if self.benchmark.known_programs is None:
            return
        good, bad = self.benchmark.known_programs()
        self.grader.open()
        for warning in self.grader.warnings:
            self.events.say(f"WARNING: {warning}")
        self.grader.self_test(good, bad)

    def spending_asked(self) -> SpendingAsked:
        """What the model's own requests may cost."""
        return spending_of(self.arguments)

    @contextlib.asynccontextmanager
    async def reach(self, style: StyleChoice | None) -> AsyncIterator[Reached]:
        """Connect, and find out how the model is asked where that isn't known. Raises BenchError."""
        arguments = self.arguments
        spending = open_spending(
            self.spending_asked(),
            self.connection,
            arguments.output,
            finished=self.finished.values(),
            warn=self.warn,
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
            await server_is_there()
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
            yield Reached(interface, style, properties, concurrency, spending)

    def warn(self, what: str) -> None:
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

    def samples(self, task: Task) -> Sequence[Sample]:
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

    def settings(self, task: Task, style: StyleChoice) -> Settings:
        arguments = self.arguments
        of_style = self.benchmark.style_options(style.chosen) if self.benchmark.style_options else {}
        prompts = (
            self.benchmark.identity(style.chosen)
            if self.benchmark.identity
            else (task.get_prompt(sample) for sample in task.get_samples(None))
        )
        own = None
        if isinstance(task, PromptedTask) and not self.benchmark.identity:
            own = prompts_sha256(map(task.own_prompt, task.get_samples(None)))
        return Settings(
            benchmark=self.benchmark.name,
            model=arguments.model_identity or arguments.model,
            data_sha256=self.benchmark.data_sha256,
            prompts_sha256=prompts_sha256(prompts),
            own_prompts_sha256=own,
            prompt_style=str(style.chosen),
            stop=task.stop,
            timeout_s=arguments.cpu_limit,
            memory_limit_bytes=arguments.memory_limit,
            limit=len(self.samples(task)),
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

    def _outage(self, down: bool) -> None:
        self.events.emit("phase", phase="waiting_for_server" if down else "generate")
        self.events.say("the server is gone; waiting for it" if down else "the server is back")
