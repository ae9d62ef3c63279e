"""Put a load on a server, load by load, and measure what comes back."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import msgspec

from evaluation.benchmarks.speed.prompts import WORDS, TokenPrompts, WordPrompts, text
from evaluation.models.http_session import open_session
from evaluation.models.parameters import REFUSING
from evaluation.models.server_watch import ServerWatch
from evaluation.models.streaming import stream_completion
from evaluation.models.tokens import token_ids
from results.errors import Reported, ServerError, ServerExited
from results.stats.speed import Load, SpeedRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    import aiohttp

    from evaluation.loop.journal import LineJournal
    from evaluation.models.connection import ConnectionInfo
    from evaluation.models.parameters import Parameters
    from evaluation.models.streaming import Streamed

_WARM_UP_TOKENS = 16
_WARM_UP_DEPTH = 2048  # of a deep prompt: one batch is computed as the next
_MAX_ATTEMPTS = 3  # at one load: perhaps it is this very load that kills the server
_REFUSED = {401, 403, 404}  # the same for every request
_CALIBRATION_WORDS = (32, 160)
# What makes an answer go on to its full length, and a server compute all of its prompt. llama-server and vLLM pass
# over what they do not know; a server that refuses them is asked without.
_FORCED = {"ignore_eos": True, "cache_prompt": False}


class _ServerWasDown(Exception):
    """The server died under the load and is back: what was measured is no measurement."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A load's requests. client_cpu: processor seconds of this process a second of the load, 1.0 being all it can."""

    requests: list[SpeedRequest]
    client_cpu: float
    warm_up_requests: int


class LoadClient:
    """Sends requests in a closed loop: as many at once as asked for, the next as soon as one ends.

    That is `vllm bench serve --max-concurrency N --request-rate inf`. Nothing is tried twice: a request that fails is
    counted. Use as an async context manager.
    """

    def __init__(
        self,
        info: ConnectionInfo,
        parameters: Parameters,
        *,
        server_wait_s: float,
        on_outage: Callable[[bool], None],
        on_request: Callable[[SpeedRequest], None],
    ) -> None:
        self._info = info
        self._parameters = parameters
        self._seed = parameters.sampling.seed or 0
        self._server_wait_s = server_wait_s
        self._on_outage = on_outage
        self._on_request = on_request
        self._url = f"{info.base_url}{info.api_path}/completions"
        self._prompts: TokenPrompts | WordPrompts
        self._session: aiohttp.ClientSession
        self._watch: ServerWatch

    async def __aenter__(self) -> Self:
        self._open(keep_alive=True)
        return self

    def _open(self, *, keep_alive: bool) -> None:
        self._session = open_session(self._info, keep_alive=keep_alive)
        self._watch = ServerWatch(
            self._session, self._info.base_url, wait_s=self._server_wait_s, on_outage=self._on_outage
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def prepare(self) -> str:
        """Find out how prompts of a known length are made for this server: by its "tokens" or by "words".

        Raises ServerError where it does not stream completions, or does not count its tokens.
        """
        streamed = await self._learn_fields()
        # llama-server promises to keep a connection and closes it behind each stream: the next request would fail.
        if streamed.timings is not None or (await self._short(WORDS[0])).status == 0:
            await self._session.close()
            self._open(keep_alive=False)
        ids = await token_ids(self._session, self._info, text(WORDS))
        if ids is not None and TokenPrompts.suffice(ids):
            self._prompts = TokenPrompts(ids, self._seed)
            return "tokens"
        short, long = [(count, await self._prompt_tokens(WORDS * 2, count)) for count in _CALIBRATION_WORDS]
        self._prompts = WordPrompts(short, long, self._seed)
        return "words"

    async def measure(self, load: Load, count: int, *, first_attempt: int, journal: LineJournal) -> Measured:
        """Warm up, then measure `count` requests; each is on disk when this returns.

        When the server dies meanwhile, it is waited for and the load measured anew. Raises ServerError where going on
        makes no sense, ResultsError where nothing can be written.
        """
        for attempt in range(first_attempt, first_attempt + _MAX_ATTEMPTS):
            bodies = [
                self._body(self._prompts.make(load, index), load.output_tokens) for index in range(count)
            ]
            try:
                return await self._attempt(load, bodies, attempt, journal)
            except _ServerWasDown:
                continue
        raise ServerExited(
            f"the server died {_MAX_ATTEMPTS} times under the load {load.name}",
            hint="see its log; leave this load out with --concurrencies, --prompt-tokens or --output-tokens",
        )

    async def _attempt(
        self, load: Load, bodies: Sequence[bytes], attempt: int, journal: LineJournal
    ) -> Measured:
        warm_up = min(load.concurrency, len(bodies))
        await self._warm_up(load, warm_up)
        outages = self._watch.outages
        requests: list[SpeedRequest] = []
        writes: list[asyncio.Task[None]] = []
        work = iter(enumerate(bodies))
        began, cpu = time.perf_counter(), time.process_time()

        async def ask(work: Iterator[tuple[int, bytes]]) -> None:
            for index, body in work:
                streamed = await stream_completion(self._session, self._url, body)
                await self._require_alive(streamed, outages)
                request = _request(
                    streamed, load=load, attempt=attempt, index=index, count=len(bodies), began=began
                )
                requests.append(request)
                # Not awaited here: the disk must not hold up the next request.
                writes.append(asyncio.create_task(journal.add(request)))
                self._on_request(request)

        failures: list[BaseException] = []
        try:
            async with asyncio.TaskGroup() as askers:
                for _ in range(min(load.concurrency, len(bodies))):
                    askers.create_task(ask(work))
        except* (_ServerWasDown, Reported) as errors:
            failures += errors.exceptions
        finally:
            used, seconds = time.process_time() - cpu, time.perf_counter() - began
            await asyncio.gather(*writes)
        if failures:
            raise failures[0]
        return Measured(requests=requests, client_cpu=used / seconds, warm_up_requests=warm_up)

    async def _warm_up(self, load: Load, count: int) -> None:
        """As many requests at once as will be measured at once, with prompts as long (of depths not all that long) and
        short answers.
        """
        tokens = min(_WARM_UP_TOKENS, load.output_tokens)
        if load.depth is not None and load.prompt_tokens > _WARM_UP_DEPTH:
            load = msgspec.structs.replace(load, prompt_tokens=_WARM_UP_DEPTH)
        outages = self._watch.outages
        bodies = [self._body(self._prompts.make(load, -1 - index), tokens) for index in range(count)]
        streams = await asyncio.gather(
            *(stream_completion(self._session, self._url, body) for body in bodies)
        )
        for streamed in streams:
            await self._require_alive(streamed, outages)

    async def _require_alive(self, streamed: Streamed, outages: int) -> None:
        if streamed.status in _REFUSED:
            raise ServerError(
                f"the server rejected {self._url}: {streamed.error}",
                hint="check --model, --base-url and the API key; it must have /v1/completions",
            )
        if streamed.error and streamed.status in {0, 200} and await self._watch.was_down(outages):
            raise _ServerWasDown

    def _body(self, prompt: list[int] | str, output_tokens: int) -> bytes:
        return msgspec.json.encode(
            {
                "model": self._info.model,
                "prompt": prompt,
                "stream": True,
                "stream_options": {"include_usage": True},
                **self._parameters.fields(self._parameters.sampling, self._wanted(output_tokens)),
            }
        )

    def _wanted(self, output_tokens: int) -> dict[str, Any]:
        return {"max_tokens": output_tokens, **_FORCED}

    async def _learn_fields(self) -> Streamed:
        """Whether the server takes the fields that are its own; that it streams, and counts tokens."""
        parameters = self._parameters
        while (streamed := await self._short(WORDS[0])).status in REFUSING:
            sent = parameters.fields(parameters.sampling, self._wanted(2))
            if not parameters.refuse(streamed.refusal, sent):
                if not sent.keys() & _FORCED:
                    break
                parameters.leave_out(_FORCED, streamed.error)
        if streamed.error:
            raise ServerError(
                f"the server at {self._info.base_url} does not stream completions: {streamed.error}",
                hint="speed needs /v1/completions with stream and stream_options.include_usage",
            )
        if streamed.usage is None or streamed.usage.completion_tokens is None:
            raise ServerError(
                f"the server at {self._info.base_url} does not count its tokens",
                hint="speed needs /v1/completions with stream_options.include_usage",
            )
        return streamed

    async def _prompt_tokens(self, words: Sequence[str], count: int) -> int:
        streamed = await self._short(text(words[:count]))
        if streamed.error or streamed.usage is None or not streamed.usage.prompt_tokens:
            raise ServerError(
                f"the server at {self._info.base_url} does not count the tokens of a prompt"
                + (f": {streamed.error}" if streamed.error else ""),
                hint="speed needs /tokenize, or usage.prompt_tokens in the answers",
            )
        return streamed.usage.prompt_tokens

    async def _short(self, prompt: str) -> Streamed:
        streamed = await stream_completion(self._session, self._url, self._body(prompt, 2))
        if streamed.status in _REFUSED:
            await self._require_alive(streamed, self._watch.outages)
        return streamed


def _request(
    streamed: Streamed, *, load: Load, attempt: int, index: int, count: int, began: float
) -> SpeedRequest:
    """Rounded to microseconds: the clock knows more than the network."""
    usage, timings = streamed.usage, streamed.timings
    error = streamed.error
    if not error and (usage is None or not usage.completion_tokens):
        error = "the server did not count the tokens of its answer"
    cached = usage.cached_tokens if usage is not None else None
    if cached is None and timings is not None:
        cached = timings.cache_n
    return SpeedRequest(
        load=load,
        attempt=attempt,
        index=index,
        count=count,
        start_s=round(streamed.sent - began, 6),
        ttft_s=None if streamed.ttft_s is None else round(streamed.ttft_s, 6),
        e2e_s=round(streamed.e2e_s, 6),
        gaps_s=tuple(round(gap, 6) for gap in streamed.gaps_s),
        prompt_tokens=usage.prompt_tokens if usage is not None else None,
        completion_tokens=usage.completion_tokens if usage is not None else None,
        cached_tokens=cached,
        finish_reason=streamed.finish_reason,
        server_prompt_tokens_per_s=timings.prompt_per_second if timings is not None else None,
        server_generation_tokens_per_s=timings.predicted_per_second if timings is not None else None,
        error=error,
    )
