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

from evaluation.answers.endings import Ending, ending_of
from evaluation.models.asked import asked_by
from evaluation.models.choice_logprobs import choice_probabilities, first_token, logprobs_wanted
from evaluation.models.failures import NotFound, Refused, ServerWasDown, TooLong, Transient, require_answer
from evaluation.models.http_session import no_answer, open_session
from evaluation.models.replies import (
    NotAnAnswer,
    read_answer,
    read_body,
    read_properties,
)
from evaluation.models.server_kind import larger_context, owner_of
from evaluation.models.server_watch import ServerWatch
from evaluation.models.tokens import longest_context, token_ids
from evaluation.models.tool_calls import sent_messages
from evaluation.models.tool_refusals import answer_without
from evaluation.protocols import Answer, PromptStyle, Request
from results.errors import ServerError, ServerNotReady

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from evaluation.models.connection import ConnectionInfo
    from evaluation.models.parameters import Parameters
    from evaluation.protocols import Sample, Task

_MAX_OUTAGES = 3  # of the server, during one request: perhaps it is this very request that kills it
_FIRST_BACKOFF_S = 0.25
_MAX_BACKOFF_S = 30.0
_LOOK = aiohttp.ClientTimeout(total=10)  # for what a server says of itself
_PROBE_RETRIES = 4
_LOADING_S = 30.0  # that a probe waits for a server that says so
_SMALLEST_CONTEXT = 128  # in tokens, that anybody serves
_SERVER_STOPS = 4  # OpenAI takes no more; the task cuts at the others itself


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
        self._owner = ""
        self._models = b""
        self._properties: dict[str, Any] = {}
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
        prompt = task.get_prompt(sample)
        seed = self._sampling.seed
        request = Request(
            task_id=sample.task_id,
            index=index,
            style=task.style,
            system=self._system(prompt.system),
            user=prompt.user,
            stop=task.stop,
            seed=None if seed is None else request_seed(seed, sample.task_id, index),
            json_schema=task.json_schema,
            choices=sample.choices,
            history=prompt.history,
            tools=prompt.tools,
        )
        return msgspec.structs.replace(request, prompt_sha256=asked_by(request).sha256)

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
            status, why = await self._list_models()
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
        """What the server says of itself at llama-server's `/props`; empty where it says nothing."""
        try:
            async with self._session.get(self.info.base_url + "/props", timeout=_LOOK) as response:
                found = read_properties(await read_body(response)) if response.status == 200 else {}
        except (aiohttp.ClientError, TimeoutError, OSError, NotAnAnswer):
            found = {}
        self._properties = found
        return found

    def context_tokens(self) -> int | None:
        """The context of one request, in tokens, as llama-server and vLLM tell it; None where it isn't known.

        Call it after `test_connection` and `properties`.
        """
        return longest_context(self._properties, self._models)

    async def count_tokens(self, text: str) -> int | None:
        """The tokens of a text, without what a template adds; None where the server doesn't tell them."""
        ids = await token_ids(self._session, self.info, text)
        return None if ids is None else len(ids)

    async def probe(self, request: Request, *, max_tokens: int) -> Answer:
        """One short answer, greedy; `error` says why there is none, `refused` that it is no matter of the moment.

        A refusal for the moment is waited out: one that comes again and again for some seconds, a server that is still
        loading longer. Raises UsageError where the server refuses a parameter that was asked for, and ServerError where
        it is gone or does not know the key.
        """
        request = msgspec.structs.replace(request, system=self._system(request.system))
        started, tries = time.monotonic(), 0
        most_tries = 1 + max(self.info.max_retries, _PROBE_RETRIES)
        while True:
            outages = self._watch.outages
            try:
                return await self._post(request, temperature=0.0, max_tokens=max_tokens)
            except (Refused, NotFound) as error:
                return Answer(error=str(error), refused=True)
            except Transient as error:
                tries += 1
                if error.retry_after is None:
                    await self._watch.was_down(outages)
                waited = time.monotonic() - started
                patience = min(self._server_wait, _LOADING_S) if error.status == 503 else 0.0
                if waited > 2 * self.info.timeout or (tries >= most_tries and waited >= patience):
                    return Answer(error=_times(error, tries), refused=error.status == 200)
                await asyncio.sleep(_pause(tries, error.retry_after))

    def _system(self, text: str) -> str:
        """The system text of a request: the one that was asked for, then the task's own."""
        return "\n\n".join(filter(None, (self._sampling.system_prompt, text)))

    async def _list_models(self) -> tuple[int, str]:
        """The status of that request, and what happened."""
        try:
            async with self._session.get(self.info.base_url + "/v1/models", timeout=_LOOK) as response:
                status = response.status
                if status == 200:
                    self._models = await read_body(response)
                    self._owner = owner_of(self._models)
                return status, f"HTTP status {status}"
        except NotAnAnswer as error:
            return 200, str(error)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return 0, str(error) or type(error).__name__

    async def _answer(self, request: Request) -> Answer:
        attempts = 0
        for _ in range(_MAX_OUTAGES):
            try:
                async for attempt in AsyncRetrying(
                    retry=retry_if_exception_type(Transient),
                    stop=stop_after_attempt(self.info.max_retries + 1)
                    | stop_after_delay(2 * self.info.timeout),
                    wait=_backoff,
                    reraise=True,
                ):
                    with attempt:
                        attempts += 1
                        answer = await self._attempt(request)
                        return msgspec.structs.replace(answer, attempts=attempts)
            except ServerWasDown:
                continue
            except Transient as error:
                partial = error.partial or Answer()
                return msgspec.structs.replace(partial, error=_times(error, attempts), attempts=attempts)
            except Refused as error:
                return Answer(error=str(error), too_long=isinstance(error, TooLong), attempts=attempts)
        return Answer(error=f"the server died {_MAX_OUTAGES} times on this prompt", attempts=attempts)

    async def _attempt(self, request: Request) -> Answer:
        outages = self._watch.outages
        try:
            if request.choices and self._gives_logprobs and self._parameters.takes("logprobs"):
                chosen = await self._choose(request)
                if chosen is not None:
                    return chosen
            return await self._post(request)
        except Transient as error:
            if error.retry_after is None and await self._watch.was_down(outages):
                raise ServerWasDown from error
            raise

    async def _post(self, request: Request, **own: Any) -> Answer:
        try:
            raw, seconds = await self._ask(request, own)
        except (Refused, Transient, NotFound) as error:
            if not request.tools:
                raise
            return answer_without(error)
        answer = _answer(raw, request.style, seconds)
        max_tokens = own.get("max_tokens", self._sampling.max_tokens)
        if not answer.finish_reason and (answer.generated_tokens or 0) >= max_tokens:
            return msgspec.structs.replace(
                answer, finish_reason="length"
            )  # the server does not say why it ended
        if _met_the_context(answer, max_tokens):
            advice = larger_context(self._owner, self._properties, is_local=self.info.is_loopback)
            return msgspec.structs.replace(answer, context_advice=advice)
        return answer

    async def _ask(self, request: Request, own: Mapping[str, Any], *, needs: str = "") -> tuple[bytes, float]:
        """Send it, without what the server turns out not to take. own: parameters that don't follow the sampling.

        Raises Refused where `needs` is not taken.
        """
        path, prompt = self._prompt(request)
        values = {**_values(request), **own}
        while True:
            fields = self._parameters.fields(values, own)
            try:
                return await self._send(path, {"model": self.info.model, "stream": False, **fields, **prompt})
            except Refused as refusal:
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
        except Refused:
            return (
                None  # of log-probabilities, perhaps; what else is wrong is said when the answer is generated
            )
        except ValueError as error:
            raise Transient(str(error)) from error
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
            raise Refused(str(error)) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Transient(no_answer(error, self._session)) from error
        seconds = time.perf_counter() - started
        require_answer(status, headers, raw, where=f"{self.info.base_url} rejected {path}")
        return raw, seconds

    def _prompt(self, request: Request) -> tuple[str, dict[str, Any]]:
        """Where a request goes, and its prompt as it stands there."""
        if request.style is PromptStyle.COMPLETION:
            return "/v1/completions", {"prompt": asked_by(request).text}
        body: dict[str, Any] = {"messages": sent_messages(asked_by(request).messages)}
        if request.tools:
            body["tools"] = request.tools
        if request.json_schema is not None and self.info.use_guided_json:
            schema = {"name": "answer", "schema": request.json_schema}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return "/v1/chat/completions", body


def _values(request: Request) -> dict[str, Any]:
    """The parameters that differ from request to request."""
    values: dict[str, Any] = {} if request.seed is None else {"seed": request.seed}
    if request.tools:
        values["parallel_tool_calls"] = (
            True  # llama-server's default depends on the template, OpenAI's is this
        )
    return {**values, "stop": request.stop[:_SERVER_STOPS]} if request.stop else values


def request_seed(seed: int, task_id: str, index: int) -> int:
    """The seed of one request, from the run's and what is asked: 31 bits, which every server takes."""
    digest = hashlib.sha256(f"{seed}/{task_id}/{index}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def _backoff(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return _pause(state.attempt_number, error.retry_after if isinstance(error, Transient) else None)


def _times(error: Exception, tries: int) -> str:
    return f"{error}, {tries} times" if tries > 1 else str(error)


def _pause(tries: int, retry_after: float | None) -> float:
    """Seconds until the next try, after so many."""
    return (
        float(min(_FIRST_BACKOFF_S * 2 ** (tries - 1), _MAX_BACKOFF_S))
        if retry_after is None
        else retry_after
    )


def _answer(raw: bytes, style: PromptStyle, seconds: float) -> Answer:
    try:
        answer = read_answer(raw, style, seconds)
    except NotAnAnswer as error:
        raise Transient(str(error), status=200) from error
    if answer.error:
        raise Transient(answer.error, partial=answer)
    return answer


def _met_the_context(answer: Answer, max_tokens: int) -> bool:
    """Whether the context was full before the limit of the answer was reached.

    Some servers miscount by one, and some report counts that fit no context.
    """
    ending, prompt, generated = ending_of(answer.finish_reason), answer.prompt_tokens, answer.generated_tokens
    if ending is not Ending.LIMIT or prompt is None or generated is None:
        return ending is Ending.CONTEXT
    return generated < max_tokens - 1 and prompt + generated >= _SMALLEST_CONTEXT
