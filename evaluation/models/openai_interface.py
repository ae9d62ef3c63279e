"""Reach a model through an OpenAI-compatible server: llama-server, vLLM, Ollama, OpenAI."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Self

import aiohttp
import msgspec

from evaluation.answers.endings import Ending, ending_of
from evaluation.models.asked import asked_by
from evaluation.models.choice_logprobs import choice_probabilities, first_token, logprobs_wanted
from evaluation.models.exchange import Exchange
from evaluation.models.failures import NotFound, Refused, Transient
from evaluation.models.replies import (
    NotAnAnswer,
    read_answer,
    read_body,
    read_properties,
)
from evaluation.models.server_kind import larger_context, owner_of
from evaluation.models.tokens import longest_context, token_ids
from evaluation.models.tool_calls import sent_messages, written_out
from evaluation.models.tool_refusals import answer_without
from evaluation.protocols import Answer, PromptStyle, Request
from results.errors import ServerError, ServerNotReady

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from evaluation.likelihood.continuations import Scorer
    from evaluation.models.connection import ConnectionInfo
    from evaluation.models.exchange import RateLimiter, Spending
    from evaluation.models.parameters import Parameters
    from settings.providers import Supports

_LOOK = aiohttp.ClientTimeout(total=10)  # for what a server says of itself
_SMALLEST_CONTEXT = 128  # in tokens, that anybody serves


class OpenAIInterface:
    """Implements `Provider`. Use as an async context manager; safe for many requests at once."""

    def __init__(
        self,
        info: ConnectionInfo,
        *,
        parameters: Parameters,
        server_wait: float,
        on_outage: Callable[[bool], None],
        limiter: RateLimiter | None = None,
        make_limiter: Callable[[], RateLimiter] | None = None,
        spending: Spending | None = None,
    ) -> None:
        self.info = info
        self._parameters = parameters
        self._exchange = Exchange(
            info,
            server_wait=server_wait,
            on_outage=on_outage,
            limiter=limiter,
            make_limiter=make_limiter,
            spending=spending,
        )
        self._gives_logprobs = True  # until it answers without
        self._owner = ""
        self._models = b""
        self._properties: dict[str, Any] = {}
        self._scorer: Scorer | None = None

    async def __aenter__(self) -> Self:
        await self._exchange.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exchange.__aexit__(kind, error, trace)

    @property
    def supports(self) -> Supports:
        """What requests may ask for."""
        return self.info.facts.supports

    @property
    def refusals(self) -> int:
        """How often a request was refused for a rate limit, and sent again."""
        return self._exchange.refusals

    async def generate(self, request: Request) -> Answer:
        """The answer, or its `error`. Raises ServerError where going on makes no sense."""
        return await self._exchange.answer(lambda: self._attempt(request), index=request.index)

    async def check_connection(self, max_retries: int, timeout: float) -> None:  # noqa: ASYNC109 - as in Provider
        """Raises ServerError unless the server lives, knows the key, and has loaded its model within
        `timeout`.

        A server that isn't there is tried `max_retries` times more; one that is still loading (503) is waited
        for.
        """
        deadline = time.monotonic() + timeout
        tries = 0
        while True:
            status, why = await self._list_models()
            if status == 401 or (status == 403 and self.info.facts.is_local):
                raise ServerError(
                    f"the server at {self.info.base_url} rejected the API key ({status})",
                    hint=f"export the right key as {' or '.join(self.info.facts.key_variables)}",
                )
            if 300 <= status < 400:
                raise ServerError(
                    f"{self.info.base_url} redirects to another address, where no key is sent",
                    hint="give the address that it means with --base-url",
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
        if not self.info.facts.is_local:
            return {}
        try:
            async with self._exchange.session.get(self.info.base_url + "/props", timeout=_LOOK) as response:
                found = read_properties(await read_body(response)) if response.status == 200 else {}
        except (aiohttp.ClientError, TimeoutError, OSError, NotAnAnswer):
            found = {}
        self._properties = found
        return found

    def context_tokens(self) -> int | None:
        """The context of one request, in tokens, as llama-server and vLLM tell it; None where it isn't known.

        Call it after `check_connection` and `properties`.
        """
        return longest_context(self._properties, self._models)

    async def count_tokens(self, text: str) -> int | None:
        """The tokens of a text, without what a template adds; None where the server doesn't tell them."""
        if not self.info.facts.is_local:
            return None
        ids = await token_ids(self._exchange.session, self.info, text)
        return None if ids is None else len(ids)

    async def find_scorer(self) -> tuple[str, str]:
        """The way in which continuations are scored here, tried out on one; or "", and why they can't be, in a line.

        Call it after `check_connection` and `properties`. Raises ServerError where the server gives no answer.
        """
        from evaluation.likelihood.continuations import TRIED, scorer_for

        scorer = scorer_for(
            self._post_body, owner=self._owner, model=self.info.model, properties=self._properties
        )
        if scorer is None:
            return "", "only llama-server and vLLM tell how likely given tokens are"
        tried = await self._exchange.first_answer(lambda: scorer.answer(TRIED))
        if tried.error and not tried.refused:
            raise ServerError(f"the server scores no continuation: {tried.error}", hint="see its log")
        self._scorer = None if tried.error else scorer
        return "" if tried.error else scorer.way, tried.error

    async def probe(self, request: Request, *, max_tokens: int) -> Answer:
        """One short answer, greedy; `error` says why there is none, `refused` that it is no matter of the moment.

        A refusal for the moment is waited out: one that comes again and again for some seconds, a server that is still
        loading longer. Raises UsageError where the server refuses a parameter that was asked for, and ServerError where
        it is gone or does not know the key.
        """
        sampling = msgspec.structs.replace(self._parameters.sampling, seed=None)
        asked = msgspec.structs.replace(request, system=sampling.system(request.system), sampling=sampling)
        return await self._exchange.first_answer(
            lambda: self._post(asked, temperature=0.0, max_tokens=max_tokens)
        )

    async def _list_models(self) -> tuple[int, str]:
        """The status of that request, and what happened."""
        try:
            async with self._exchange.session.get(
                f"{self.info.base_url}{self.info.api_path}/models",
                timeout=_LOOK,
                allow_redirects=self.info.facts.is_local,  # a key goes where it was meant to go
            ) as response:
                status = response.status
                if status == 200:
                    self._models = await read_body(response)
                    self._owner = owner_of(self._models)
                return status, f"HTTP status {status}"
        except NotAnAnswer as error:
            return 200, str(error)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return 0, str(error) or type(error).__name__

    async def _attempt(self, request: Request) -> Answer:
        if request.continuations:
            if self._scorer is None:
                raise Refused("this server scores no continuations")
            return await self._scorer.answer(request)
        gives = self.supports.logprobs and self._gives_logprobs
        if request.choices and gives and self._parameters.takes("logprobs"):
            chosen = await self._choose(request)
            if chosen is not None:
                return chosen
        return await self._post(request)

    async def _post(self, request: Request, **own: Any) -> Answer:
        try:
            raw, seconds = await self._ask(request, own)
        except (Refused, Transient, NotFound) as error:
            if not request.tools:
                raise
            return answer_without(error)
        answer = _answer(raw, request.style, seconds)
        if answer.tool_calls and not request.tools and not answer.text.strip():
            answer = msgspec.structs.replace(answer, text=written_out(answer.tool_calls))
        max_tokens = own.get("max_tokens", request.sampling.max_tokens)
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
        values = {**self._values(request), **own}
        while True:
            fields = self._parameters.fields(request.sampling, values, own)
            try:
                raw, seconds = await self._exchange.send(path, self._body(fields, prompt))
                return self._in_openais_form(raw), seconds
            except Refused as refusal:
                again = self._parameters.refuse(refusal.raw, fields, own)
                if not again or (needs and not self._parameters.takes(needs)):
                    raise

    async def _post_body(self, path: str, body: Mapping[str, Any]) -> bytes:
        asked = dict(body)
        slot = {name: asked.pop(name) for name in ("id_slot",) if name in asked}
        return (await self._exchange.send(path, asked, beside=slot))[0]

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

    def _prompt(self, request: Request) -> tuple[str, dict[str, Any]]:
        """Where a request goes, and its prompt as it stands there."""
        if request.style is PromptStyle.COMPLETION:
            return f"{self.info.api_path}/completions", {"prompt": asked_by(request).text}
        body: dict[str, Any] = {"messages": sent_messages(asked_by(request).messages)}
        if request.tools:
            body["tools"] = request.tools
        if request.json_schema is not None and self.info.use_guided_json:
            schema = {"name": "answer", "schema": request.json_schema}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return f"{self.info.api_path}/chat/completions", body

    def _body(self, fields: Mapping[str, Any], prompt: Mapping[str, Any]) -> dict[str, Any]:
        return {"model": self.info.model, "stream": False, **fields, **prompt}

    def _in_openais_form(self, raw: bytes) -> bytes:
        """An answer's body as `read_answer` knows it."""
        return raw

    def _values(self, request: Request) -> dict[str, Any]:
        """The parameters that differ from request to request."""
        seed, stop = request.sampling.seed, request.stop[: self.supports.most_stops]
        values: dict[str, Any] = {} if seed is None else {"seed": seed}
        if request.tools:
            # llama-server's default depends on the template, OpenAI's is this
            values["parallel_tool_calls"] = True
        return {**values, "stop": stop} if stop else values


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
