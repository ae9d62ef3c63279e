"""Reach a model through an OpenAI-compatible server: llama-server, vLLM, Ollama, OpenAI."""

from __future__ import annotations

import asyncio
import hashlib
import time
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import msgspec
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
)

from evaluation.models.choice_logprobs import choice_probabilities, first_token, logprobs_wanted
from evaluation.models.http_session import open_session
from evaluation.models.parameters import REFUSING
from evaluation.models.replies import (
    NotAnAnswer,
    error_message,
    read_answer,
    read_body,
    read_properties,
    retry_after_s,
)
from evaluation.models.server_watch import ServerWatch
from evaluation.protocols import Answer, PromptStyle, Request
from results.errors import ServerError, ServerNotReady

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from evaluation.models.connection import ConnectionInfo
    from evaluation.models.parameters import Parameters
    from evaluation.protocols import Sample, Task

_MAX_OUTAGES = 3  # of the server, during one request: perhaps it is this very request that kills it
_MAX_BACKOFF_S = 30.0
_LOOK = aiohttp.ClientTimeout(total=10)  # for what a server says of itself
_SERVER_STOPS = 4  # OpenAI takes no more; the task cuts at the others itself
_OVERFLOW = (
    "exceed_context_size",
    "maximum context length",
    "context_length_exceeded",
    "available context size",
)


class _Transient(Exception):
    """Worth another try; retry_after in seconds, where the server named it."""

    def __init__(self, what: str, retry_after: float | None = None) -> None:
        super().__init__(what)
        self.retry_after = retry_after


class _ServerWasDown(Exception):
    """The server died during the request and is back; that is no fault of the request."""


class _Refused(Exception):
    """A final answer of the server: asking the same again would not help.

    raw: that answer, where it may be about a parameter.
    """

    def __init__(self, what: str, raw: bytes = b"") -> None:
        super().__init__(what)
        self.raw = raw


class _TooLong(_Refused):
    """The prompt does not fit into the context of a slot."""


class OpenAIInterface:
    """Implements `Interface`. Use as an async context manager; safe for many requests at once."""

    def __init__(
        self,
        info: ConnectionInfo,
        *,
        parameters: Parameters,
        server_wait: float,
        on_outage: Callable[[bool], None],
    ) -> None:
        self.info = info
        self._parameters = parameters
        self._sampling = parameters.sampling
        self._server_wait = server_wait
        self._on_outage = on_outage
        self._gives_logprobs = True  # until it answers without
        self._session: aiohttp.ClientSession
        self._watch: ServerWatch

    async def __aenter__(self) -> Self:
        self._session = open_session(self.info)
        self._watch = ServerWatch(
            self._session, self.info.base_url, wait_s=self._server_wait, on_outage=self._on_outage
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    def prepare_request(self, sample: Sample, task: Task, index: int = 0) -> Request:
        """What to ask for the completion `index` of a sample; its seed depends on nothing else."""
        system, user = task.get_prompt(sample)
        seed = self._sampling.seed
        return Request(
            task_id=sample.task_id,
            index=index,
            style=task.style,
            system=self._system(system),
            user=user,
            stop=task.stop,
            seed=None if seed is None else request_seed(seed, sample.task_id, index),
            json_schema=task.json_schema,
            choices=sample.choices,
        )

    async def generate_batch(self, requests: Sequence[Request]) -> list[Answer]:
        """The answers, in the order of the requests. Raises ServerError where going on makes no sense."""
        return list(await asyncio.gather(*(self._answer(request) for request in requests)))

    async def test_connection(self, max_retries: int, timeout: float) -> None:  # noqa: ASYNC109 - as in Interface
        """Raises ServerError unless the server lives, knows the key, and has loaded its model within
        `timeout`.

        A server that isn't there is tried `max_retries` times more; one that is still loading (503) is waited
        for.
        """
        deadline = time.monotonic() + timeout
        tries = 0
        while True:
            status, why = await self._try("/v1/models")
            if status in {401, 403}:
                raise ServerError(
                    f"the server at {self.info.base_url} rejected the API key ({status})",
                    hint="put the key into an environment variable and name it with --api-key-env",
                )
            if 0 < status < 500:
                return
            tries += status != 503
            if tries > max_retries or time.monotonic() > deadline:
                raise ServerNotReady(
                    f"no model server answers at {self.info.base_url}: {why}",
                    hint="start it, or correct --base-url",
                )
            await asyncio.sleep(min(0.2 * (tries or 1), max(0.0, deadline - time.monotonic())))

    async def properties(self) -> dict[str, Any]:
        """What llama-server says of itself at `/props`; empty from any other server."""
        try:
            async with self._session.get(self.info.base_url + "/props", timeout=_LOOK) as response:
                return read_properties(await read_body(response)) if response.status == 200 else {}
        except (aiohttp.ClientError, TimeoutError, OSError, NotAnAnswer):
            return {}

    async def probe(self, request: Request, *, max_tokens: int) -> Answer:
        """One short answer, greedy and tried once; `error` says why there is none.

        Raises UsageError where the server refuses a parameter that was asked for.
        """
        request = msgspec.structs.replace(request, system=self._system(request.system))
        try:
            return await self._post(request, temperature=0.0, max_tokens=max_tokens)
        except (_Transient, _Refused, ServerError) as error:
            return Answer(error=str(error))

    def _system(self, text: str) -> str:
        """The system text of a request: the one that was asked for, then the task's own."""
        return "\n\n".join(filter(None, (self._sampling.system_prompt, text)))

    async def _try(self, path: str) -> tuple[int, str]:
        try:
            async with self._session.get(self.info.base_url + path, timeout=_LOOK) as response:
                return response.status, f"HTTP status {response.status}"
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return 0, str(error) or type(error).__name__

    async def _answer(self, request: Request) -> Answer:
        attempts = 0
        for _ in range(_MAX_OUTAGES):
            try:
                async for attempt in AsyncRetrying(
                    retry=retry_if_exception_type(_Transient),
                    stop=stop_after_attempt(self.info.max_retries + 1)
                    | stop_after_delay(2 * self.info.timeout),
                    wait=_backoff,
                    reraise=True,
                ):
                    with attempt:
                        attempts += 1
                        answer = await self._attempt(request)
                        return msgspec.structs.replace(answer, attempts=attempts)
            except _ServerWasDown:
                continue
            except _Transient as error:
                return Answer(error=f"{error}, {attempts} times", attempts=attempts)
            except _Refused as error:
                return Answer(error=str(error), too_long=isinstance(error, _TooLong), attempts=attempts)
        return Answer(error=f"the server died {_MAX_OUTAGES} times on this prompt", attempts=attempts)

    async def _attempt(self, request: Request) -> Answer:
        outages = self._watch.outages
        try:
            if request.choices and self._gives_logprobs and self._parameters.takes("logprobs"):
                chosen = await self._choose(request)
                if chosen is not None:
                    return chosen
            return await self._post(request)
        except _Transient as error:
            if error.retry_after is None and await self._watch.was_down(outages):
                raise _ServerWasDown from error
            raise

    async def _post(self, request: Request, **own: Any) -> Answer:
        raw, seconds = await self._ask(request, own)
        return _answer(raw, request.style, seconds)

    async def _ask(self, request: Request, own: Mapping[str, Any], *, needs: str = "") -> tuple[bytes, float]:
        """Send it, without what the server turns out not to take. own: parameters that don't follow the sampling.

        Raises _Refused where `needs` is not taken.
        """
        path, prompt = self._prompt(request)
        values = {**_values(request), **own}
        while True:
            fields = self._parameters.fields(values, own)
            try:
                return await self._send(path, {"model": self.info.model, "stream": False, **fields, **prompt})
            except _Refused as refusal:
                again = self._parameters.refuse(refusal.raw, fields, own)
                if not again or (needs and not self._parameters.takes(needs)):
                    raise

    async def _choose(self, request: Request) -> Answer | None:
        """The likeliest choice, from one token; None where that does not tell it, so that an answer is generated."""
        only = msgspec.structs.replace(request, stop=(), json_schema=None)
        own = {"temperature": 0.0, "max_tokens": 1, **logprobs_wanted(request.style)}
        try:
            raw, seconds = await self._ask(only, own, needs="logprobs")
            likely = first_token(raw)
        except _Refused:
            return (
                None  # of log-probabilities, perhaps; what else is wrong is said when the answer is generated
            )
        except ValueError as error:
            raise _Transient(str(error)) from error
        if likely is None:
            self._gives_logprobs = False
            return None
        answer = _answer(raw, request.style, seconds)
        probabilities = choice_probabilities(likely, request.choices, request.style)
        if not probabilities or answer.reasoning:
            return None
        return msgspec.structs.replace(
            answer,
            text=max(probabilities, key=probabilities.__getitem__),
            finish_reason="choice",
            choice_probabilities=probabilities,
        )

    async def _send(self, path: str, body: dict[str, Any]) -> tuple[bytes, float]:
        """The body of the server's answer, and the seconds it took."""
        started = time.perf_counter()
        try:
            async with self._session.post(
                self.info.base_url + path,
                data=msgspec.json.encode(body),
                headers={"Content-Type": "application/json"},
            ) as response:
                status, headers, raw = response.status, response.headers, await read_body(response)
        except NotAnAnswer as error:  # too long, and so it would be once more
            raise _Refused(str(error)) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _Transient(f"no answer: {str(error) or type(error).__name__}") from error
        seconds = time.perf_counter() - started
        if status == 429 or status >= 500:
            if status >= 500 and _is_overflow(raw):
                raise _TooLong(_overflow(raw))
            after = retry_after_s(headers.get("Retry-After")) if status == 429 else None
            raise _Transient(f"HTTP status {status}: {error_message(raw)}", after)
        if status in {401, 403, 404}:
            raise ServerError(
                f"the server at {self.info.base_url} rejected {path} with {status}: {error_message(raw)}",
                hint="check --model, --base-url and the API key",
            )
        if status != 200:
            if _is_overflow(raw):
                raise _TooLong(_overflow(raw))
            raise _Refused(f"HTTP status {status}: {error_message(raw)}", raw if status in REFUSING else b"")
        return raw, seconds

    def _prompt(self, request: Request) -> tuple[str, dict[str, Any]]:
        """Where a request goes, and its prompt as it stands there."""
        if request.style is PromptStyle.COMPLETION:
            return "/v1/completions", {"prompt": request.system + request.user}
        system = [{"role": "system", "content": request.system}] if request.system else []
        body: dict[str, Any] = {"messages": [*system, {"role": "user", "content": request.user}]}
        if request.json_schema is not None and self.info.use_guided_json:
            schema = {"name": "answer", "schema": request.json_schema}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return "/v1/chat/completions", body


def _values(request: Request) -> dict[str, Any]:
    """The parameters that differ from request to request."""
    values: dict[str, Any] = {} if request.seed is None else {"seed": request.seed}
    return {**values, "stop": request.stop[:_SERVER_STOPS]} if request.stop else values


def request_seed(seed: int, task_id: str, index: int) -> int:
    """The seed of one request, from the run's and what is asked: 31 bits, which every server takes."""
    digest = hashlib.sha256(f"{seed}/{task_id}/{index}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def _backoff(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, _Transient) and error.retry_after is not None:
        return error.retry_after
    return float(min(0.25 * 2 ** (state.attempt_number - 1), _MAX_BACKOFF_S))


def _answer(raw: bytes, style: PromptStyle, seconds: float) -> Answer:
    try:
        return read_answer(raw, style, seconds)
    except NotAnAnswer as error:
        raise _Transient(str(error)) from error


def _is_overflow(raw: bytes) -> bool:
    text = raw.decode(errors="replace").lower()
    return any(sign in text for sign in _OVERFLOW)


def _overflow(raw: bytes) -> str:
    return f"prompt does not fit the context of a slot: {error_message(raw)}"
