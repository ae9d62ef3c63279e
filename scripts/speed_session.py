"""All loads of a speed benchmark against one server: what is missing is measured, and the summary is said."""

from __future__ import annotations

import hashlib
import itertools
from typing import TYPE_CHECKING, Any

import msgspec

from evaluation.benchmarks.speed.prompts import WORDS
from evaluation.loop.checkpoint import Settings, check_settings, read_settings
from evaluation.loop.journal import LineJournal
from evaluation.models.parameters import Parameters
from evaluation.models.providers import get_interface_for_provider
from evaluation.models.replies import as_mapping
from results.errors import SAME_COMMAND, ResultsError, ScriptError, UsageError
from results.json_text import whole_number
from results.stats.speed import (
    REQUESTS_NAME,
    Load,
    LoadFigures,
    SpeedRequest,
    figures,
    is_whole,
    last_attempts,
    read_requests,
    table,
)
from scripts.arguments import connection_of
from settings.speed_lengths import LEAST_PROMPT, PROMPT_TOKENS, token_count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evaluation.benchmarks.speed.load import LoadClient
    from evaluation.models.connection import ConnectionInfo
    from scripts.arguments import Arguments
    from scripts.events import Events

_NAME = "speed"
_CONNECT_S = 10.0
_CONNECT_RETRIES = 3
_DEFAULT_CONCURRENCY = 16  # for a server that does not say how many slots it has
_LEAST_REQUESTS = 10
_DEPTH_REQUESTS = 5  # of one chat: deep prompts take long, and what is alone varies little
_REQUESTS_PER_SLOT = 5  # batches for the interval: three are needed, more make it narrower
_BUSY_CLIENT = 0.8  # of one processor; beyond it the client may be what is measured
_LENGTH_TOLERANCE = 0.02


async def run_speed(arguments: Arguments, events: Events) -> None:
    """Measure what is missing in `arguments.output` and say the summary. Raises BenchError."""
    connection = connection_of(arguments)
    async with LineJournal(arguments.output, REQUESTS_NAME) as journal:
        data = journal.lock_and_read()
        earlier, _ = read_requests(data)
        old = read_settings(arguments.output)
        left_out = old.left_out or () if old is not None else ()
        settings = _settings(arguments, left_out)
        if old is not None:
            check_settings(old, settings, arguments.output)
        elif earlier:
            raise ResultsError(
                f"{journal.path} holds requests, and there is no settings.json that says with which settings",
                hint="choose another --output",
            )
        journal.repair(data, data[: data.rfind(b"\n") + 1])
        journal.bind(settings)
        await _SpeedSession(
            arguments, events, connection, journal, last_attempts(earlier), settings=settings
        ).run()


class _SpeedSession:
    def __init__(
        self,
        arguments: Arguments,
        events: Events,
        connection: ConnectionInfo,
        journal: LineJournal,
        earlier: dict[Load, list[SpeedRequest]],
        *,
        settings: Settings,
    ) -> None:
        self._arguments = arguments
        self._settings = settings
        given = {**connection.sampling.given, "max_tokens": "--output-tokens"}
        self._parameters = Parameters(
            msgspec.structs.replace(connection.sampling, given=given),
            left_out=settings.left_out or (),
            on_learnt=self._learnt,
        )
        self._events = events
        self._connection = connection
        self._journal = journal
        self._attempts = {load: requests[0].attempt for load, requests in earlier.items()}
        self._measured = {
            load: requests
            for load, requests in earlier.items()
            if is_whole(requests) and len(requests) == self._count(load) and figures(requests).valid
        }
        self._now: list[SpeedRequest] = []  # of the load that is being measured
        self._tokens = 0  # written, of all that is measured and of that
        self._loads: list[Load] = []
        self._total = 0
        self._new = 0
        self._slots: int | None = None
        self._client_cpu: dict[str, float] = {}
        self._prompts = ""

    async def run(self) -> None:
        concurrencies = self._concurrencies(None)
        if concurrencies is not None and all(load in self._measured for load in self._product(concurrencies)):
            self._start(concurrencies)
        else:
            await self._measure()
        self._finish()

    async def _measure(self) -> None:
        arguments = self._arguments
        self._events.emit("phase", phase="connect")
        async with get_interface_for_provider(
            self._connection, server_wait=arguments.server_wait
        ) as interface:
            await interface.check_connection(_CONNECT_RETRIES, max(_CONNECT_S, arguments.server_wait))
            properties = await interface.properties()
        self._slots = properties.get("total_slots")
        self._start(self._concurrencies(self._slots or _DEFAULT_CONCURRENCY) or ())
        self._require_room(properties)
        from evaluation.benchmarks.speed.load import LoadClient

        client = LoadClient(
            self._connection,
            self._parameters,
            server_wait_s=arguments.server_wait,
            on_outage=self._outage,
            on_request=self._request,
        )
        async with client:
            self._prompts = await client.prepare()
            self._events.emit("phase", phase="generate")
            for load in self._loads:
                if load not in self._measured:
                    await self._measure_load(client, load)

    async def _measure_load(self, client: LoadClient, load: Load) -> None:
        self._now = []
        self._progress(load, flush=True)
        found = await client.measure(
            load,
            self._count(load),
            first_attempt=self._attempts.get(load, 0) + 1,
            journal=self._journal,
        )
        self._new += found.warm_up_requests
        self._measured[load] = found.requests
        self._client_cpu[load.name] = round(found.client_cpu, 3)
        self._now = []
        name, said = table([figures(found.requests)])[-1]
        self._events.say(f"  {name}: {said}")

    def _concurrencies(self, slots: int | None) -> tuple[int, ...] | None:
        """Those asked for, else one and as many as the server works on at once; None where that is not known yet."""
        asked: tuple[int, ...] | None = self._arguments.options["concurrencies"]
        if asked is None and self._arguments.options["depths"] is not None:
            return (1,)
        most = self._arguments.concurrency or slots
        if asked is not None or most is None:
            return asked
        return tuple(dict.fromkeys((1, most)))

    def _product(self, concurrencies: Sequence[int]) -> list[Load]:
        options = self._arguments.options
        depths = options["depths"]
        prompts = [(max(depth, LEAST_PROMPT), depth) for depth in depths or ()] or [
            (length, None) for length in options["prompt_tokens"] or (token_count(PROMPT_TOKENS),)
        ]
        return [
            Load(concurrency=concurrency, prompt_tokens=prompt, output_tokens=output, depth=depth)
            for (prompt, depth), output, concurrency in itertools.product(
                prompts, options["output_tokens"], concurrencies
            )
        ]

    def _count(self, load: Load) -> int:
        asked = self._arguments.options["requests"]
        least = _LEAST_REQUESTS if load.depth is None else _DEPTH_REQUESTS
        count: int = asked or max(least, _REQUESTS_PER_SLOT * load.concurrency)
        return count if self._arguments.limit is None else min(count, self._arguments.limit)

    def _start(self, concurrencies: Sequence[int]) -> None:
        self._loads = self._product(concurrencies)
        self._measured = {load: self._measured[load] for load in self._loads if load in self._measured}
        self._total = sum(self._count(load) for load in self._loads)
        finished = sum(map(len, self._measured.values()))
        self._tokens = sum(map(_written, self._measured.values()))
        self._events.emit(
            "start",
            benchmark=_NAME,
            total=self._total,
            finished=finished,
            completion_tokens=self._tokens,
            loads=[load.name for load in self._loads],
        )
        resumed = f", {finished} of them already measured" if finished else ""
        self._events.say(f"{_NAME}: {self._total} requests{resumed}, {len(self._loads)} loads")

    def _require_room(self, properties: dict[str, Any]) -> None:
        """llama-server says how long a slot's context is; others refuse what does not fit, and that is counted."""
        room = whole_number(as_mapping(properties.get("default_generation_settings")).get("n_ctx"))
        for load in self._loads:
            if room and room < load.prompt_tokens + load.output_tokens:
                raise UsageError(
                    f"{load.prompt_tokens} prompt and {load.output_tokens} output tokens do not fit the context of a "
                    f"slot, {room} tokens",
                    hint="raise the context of the server's slots (--ctx-size), or ask for fewer tokens",
                )

    def _request(self, request: SpeedRequest) -> None:
        if self._now and self._now[0].attempt != request.attempt:
            self._tokens -= _written(self._now)
            self._now = []  # the server died, and all of the load is measured anew
        self._now.append(request)
        self._tokens += request.completion_tokens or 0
        self._new += not request.error
        self._progress(request.load)

    def _progress(self, load: Load, *, flush: bool = False) -> None:
        done = sum(map(len, self._measured.values())) + len(self._now)
        fields = {
            "done": done,
            "total": self._total,
            "in_flight": min(load.concurrency, self._count(load) - len(self._now)),
            "completion_tokens": self._tokens,
            "load": load.name,
        }
        if flush:
            self._events.emit("progress", **fields)
        else:
            self._events.progress(fields)

    def _learnt(self, what: str) -> None:
        self._events.say(what)
        self._settings = msgspec.structs.replace(self._settings, left_out=self._parameters.left_out or None)
        self._journal.bind(self._settings)

    def _outage(self, down: bool) -> None:
        self._events.emit("phase", phase="waiting_for_server" if down else "generate")
        self._events.say(
            "the server is gone; waiting for it" if down else "the server is back; repeating this load"
        )

    def _finish(self) -> None:
        loads = [figures(self._measured[load]) for load in self._loads]
        if not any(found.valid for found in loads):
            errors = next((list(found.errors) for found in loads if found.errors), ["no answer"])
            raise ScriptError(
                f"no load could be measured, too many requests failed: {errors[0]}",
                hint=f"fix that and {SAME_COMMAND}",
            )
        warnings = (
            _warnings(loads, slots=self._slots, client_cpu=self._client_cpu) + self._parameters.warnings
        )
        for warning in warnings:
            self._events.say(f"WARNING: {warning}")
        for name, text in table(loads):
            self._events.say(f"{name:20} {text}")
        self._events.emit(
            "summary",
            benchmark=_NAME,
            score=None,
            new_completions=self._new,
            warnings=warnings,
            loads=msgspec.to_builtins(loads),
            prompts=self._prompts,
            left_out=self._parameters.left_out,
            client_cpu=self._client_cpu,
        )


def _written(requests: Sequence[SpeedRequest]) -> int:
    return sum(request.completion_tokens or 0 for request in requests)


def _settings(arguments: Arguments, left_out: tuple[str, ...]) -> Settings:
    """What may not change within one folder. The loads may: each is measured for itself."""
    return Settings(
        benchmark=_NAME,
        model=arguments.model_identity or arguments.model,
        data_sha256="",
        prompts_sha256=hashlib.sha256(" ".join(WORDS).encode()).hexdigest(),
        prompt_style="completion",
        stop=(),
        temperature=arguments.sampling.temperature,
        max_tokens=0,
        seed=arguments.sampling.seed,
        timeout_s=0,
        limit=0,
        n_samples=1,
        left_out=left_out or None,
    )


def _warnings(loads: Sequence[LoadFigures], *, slots: int | None, client_cpu: dict[str, float]) -> list[str]:
    """Sentences about what makes a figure less than it seems."""
    found = []
    for of in loads:
        name, share = of.load.name, client_cpu.get(of.load.name, 0.0)
        why = f" ({next(iter(of.errors))})" if of.errors else ""
        if not of.valid:
            found.append(f"{name}: {of.failed} of {of.requests} requests failed{why}: it has no figures")
            continue
        if of.failed:
            found.append(f"{name}: {of.failed} of {of.requests} requests failed{why} and are left out")
        if of.ended_early:
            found.append(
                f"{name}: {of.ended_early} of {of.completed} answers ended before {of.load.output_tokens} tokens, "
                "since the server does not hold them to their length: figures are of what was written"
            )
        if of.cached_tokens:
            found.append(
                f"{name}: the server had {of.cached_tokens} of {of.prompt_tokens} prompt tokens in its cache, "
                "so its time to first token is better than without"
            )
        asked = of.completed * of.load.prompt_tokens
        if abs(of.prompt_tokens - asked) > _LENGTH_TOLERANCE * asked:
            found.append(
                f"{name}: the prompts had {of.prompt_tokens / of.completed:.0f} tokens on average, "
                f"not {of.load.prompt_tokens}"
            )
        if of.tokens_per_chunk is not None and of.tokens_per_chunk > 1.05:
            found.append(
                f"{name}: a chunk held {of.tokens_per_chunk:.2f} tokens on average; ITL is between chunks, "
                "TPOT counts tokens"
            )
        if slots is not None and of.load.concurrency > slots:
            found.append(
                f"{name}: more requests at once than the server's {slots} slots: "
                "time to first token includes waiting for one (--parallel)"
            )
        if share > _BUSY_CLIENT:
            found.append(
                f"{name}: this client used {share:.0%} of a processor: the server may be faster than that"
            )
    return found
