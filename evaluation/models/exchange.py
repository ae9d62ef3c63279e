"""Send a request's body to a server or provider and get the answer's body, whatever the API is called.

Failures for the moment are tried again, a dead server is waited for, and a rate limiter is asked before each attempt.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

import aiohttp
import msgspec

from evaluation.models.failures import NotFound, Refused, ServerWasDown, TooLong, Transient, require_answer
from evaluation.models.http_session import no_answer, open_session
from evaluation.models.replies import NotAnAnswer, meant_status, read_body
from evaluation.models.server_watch import ServerWatch
from evaluation.protocols import Answer
from settings.secrets import without_key

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from types import TracebackType

    import tenacity

    from evaluation.models.connection import ConnectionInfo

_MAX_OUTAGES = 3  # of the server, during one request: perhaps it is this very request that kills it
_FIRST_BACKOFF_S = 0.25
_MAX_BACKOFF_S = 30.0
_PROBE_RETRIES = 4
_RATE_LIMITED = (429, 529)  # too many requests; overloaded, of Anthropic
_PROBE = -1  # the index of what is no completion
_LOADING_S = 30.0  # that a probe waits for a server that says so


class Reply(NamedTuple):
    """What came back for one attempt, whatever it says. seconds: from sending it to the end of the answer."""

    status: int
    headers: Mapping[str, str]
    raw: bytes
    seconds: float


class RateLimiter(Protocol):
    """Holds requests back where a provider limits how many it takes. refusals: how often it refused one."""

    refusals: int

    async def send(self, attempt: Callable[[], Awaitable[Reply]]) -> Reply:
        """The first reply that is no refusal for the rate. attempt: sends the request once; its errors pass.

        Raises ServerError where the provider refuses for longer than it is waited for.
        """


class Spending(Protocol):
    """Answers what was asked before without sending it, and holds requests to what they may cost."""

    async def send(
        self, path: str, body: Mapping[str, Any], data: bytes, attempt: Callable[[], Awaitable[Reply]]
    ) -> Reply:
        """The reply to a request, known or sent by `attempt`, whose errors pass. data: the body as it is sent.

        Raises CapReached where it may cost more than is left.
        """

    async def billed(self, index: int, work: Callable[[], Awaitable[Answer]]) -> Answer:
        """What the work comes to, with the cost of the requests that it sent. index: of the completion."""


class Exchange:
    """Requests to one server. Use as an async context manager; safe for many requests at once.

    limiter: None: requests are sent at once, until one is refused for a rate limit. make_limiter: makes it then.
    spending: None: all are sent, whatever they cost. headers: go with every request, beside the key.
    """

    def __init__(
        self,
        info: ConnectionInfo,
        *,
        server_wait: float,
        on_outage: Callable[[bool], None],
        limiter: RateLimiter | None = None,
        make_limiter: Callable[[], RateLimiter] | None = None,
        spending: Spending | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.info = info
        self._server_wait = server_wait
        self._on_outage = on_outage
        self._limiter = limiter
        self._make_limiter = make_limiter
        self._spending = spending
        self._headers = {"Content-Type": "application/json", **(headers or {})}
        self.session: aiohttp.ClientSession
        self._watch: ServerWatch

    async def __aenter__(self) -> Self:
        self.session = open_session(self.info)
        info = self.info
        models = info.api_path + "/models"
        self._watch = ServerWatch(
            self.session,
            info.base_url,
            wait_s=self._server_wait,
            on_outage=self._on_outage,
            paths=("/health", models) if info.facts.is_local else (models,),
            follows_redirects=info.facts.is_local,
            is_near=info.is_loopback,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.session.close()

    async def send(
        self, path: str, body: dict[str, Any], *, beside: Mapping[str, Any] | None = None
    ) -> tuple[bytes, float]:
        """The body of the server's answer, and the seconds it took. beside: fields that don't determine the answer.

        Raises Transient, Refused, and ServerError where going on makes no sense.
        """
        data = msgspec.json.encode(body)
        whole = msgspec.json.encode({**body, **beside}) if beside else data

        async def once() -> Reply:
            return await self._attempt(path, whole)

        async def admitted() -> Reply:
            if self._limiter is not None:
                return await self._limiter.send(once)
            reply = await once()
            if meant_status(reply.status, reply.raw) in _RATE_LIMITED and self._make_limiter is not None:
                return await self._send_limited(reply, once)
            return reply

        spending = self._spending
        reply = await (admitted() if spending is None else spending.send(path, body, data, admitted))
        require_answer(reply.status, reply.headers, reply.raw, where=f"{self.info.base_url} rejected {path}")
        return reply.raw, reply.seconds

    @property
    def refusals(self) -> int:
        """How often a request was refused for a rate limit."""
        return 0 if self._limiter is None else self._limiter.refusals

    async def _send_limited(self, refusal: Reply, once: Callable[[], Awaitable[Reply]]) -> Reply:
        """The reply to a request that was refused while there was no limiter."""
        replies = [refusal]

        async def attempt() -> Reply:
            return replies.pop() if replies else await once()

        if self._limiter is None and self._make_limiter is not None:
            self._limiter = self._make_limiter()
            return await self._limiter.send(attempt)
        if self._limiter is None:
            return refusal
        self._limiter.refusals += 1
        return await self._limiter.send(once)

    async def _attempt(self, path: str, data: bytes) -> Reply:
        """Every attempt is sent here. Raises Transient and Refused where there is no reply."""
        started = time.perf_counter()
        try:
            async with self.session.post(
                self.info.base_url + path,
                data=data,
                headers=self._headers,
                allow_redirects=self.info.facts.is_local,  # a key goes where it was meant to go
            ) as response:
                raw = without_key(await read_body(response), self.info.api_key)
                return Reply(response.status, response.headers, raw, time.perf_counter() - started)
        except NotAnAnswer as error:  # too long, and so it would be once more
            raise Refused(str(error)) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Transient(no_answer(error, self.session)) from error

    async def answer(self, attempt: Callable[[], Awaitable[Answer]], *, index: int = 0) -> Answer:
        """What an attempt comes to, made again as long as that can help; `error` where it can't.

        attempt: sends a request, and raises what `send` raises. index: of the completion that is asked for. Raises
        ServerError where going on makes no sense.
        """
        if self._spending is None:
            return await self._answer(attempt)
        return await self._spending.billed(index, lambda: self._answer(attempt))

    async def _answer(self, attempt: Callable[[], Awaitable[Answer]]) -> Answer:
        attempts = 0

        async def counted() -> Answer:
            nonlocal attempts
            attempts += 1
            return await self._watched(attempt)

        for _ in range(_MAX_OUTAGES):
            try:
                return msgspec.structs.replace(await self._tries(counted), attempts=attempts)
            except ServerWasDown:
                continue
            except Transient as error:
                partial = error.partial or Answer()
                return msgspec.structs.replace(partial, error=_times(error, attempts), attempts=attempts)
            except Refused as error:
                return Answer(error=str(error), too_long=isinstance(error, TooLong), attempts=attempts)
        return Answer(error=f"the server died {_MAX_OUTAGES} times on this prompt", attempts=attempts)

    async def _tries(self, attempt: Callable[[], Awaitable[Answer]]) -> Answer:
        """The first answer, of so many tries in so long a time. Raises what the last one raised, or what is no
        Transient at once.
        """
        began = time.monotonic()
        try:
            return await attempt()
        except Transient as error:
            first = error
        import tenacity  # for the few requests that fail: its bookkeeping takes 50 us of each, and its import 10 ms

        left_s = 2 * self.info.timeout - (time.monotonic() - began)
        async for trial in tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(Transient),
            stop=tenacity.stop_after_attempt(self.info.max_retries + 1) | tenacity.stop_after_delay(left_s),
            wait=_backoff,
            reraise=True,
        ):
            with trial:
                if trial.retry_state.attempt_number == 1:
                    raise first
                return await attempt()
        raise first

    async def first_answer(self, attempt: Callable[[], Awaitable[Answer]]) -> Answer:
        """The same before anything is known of the server: `refused` says that an error is no matter of the moment.

        A refusal for the moment is waited out: one that comes again and again for some seconds, a server that is still
        loading longer.
        """
        if self._spending is None:
            return await self._first_answer(attempt)
        return await self._spending.billed(_PROBE, lambda: self._first_answer(attempt))

    async def _first_answer(self, attempt: Callable[[], Awaitable[Answer]]) -> Answer:
        started, tries = time.monotonic(), 0
        most_tries = 1 + max(self.info.max_retries, _PROBE_RETRIES)
        while True:
            outages = self._watch.outages
            try:
                return await attempt()
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

    async def _watched(self, attempt: Callable[[], Awaitable[Answer]]) -> Answer:
        outages = self._watch.outages
        try:
            return await attempt()
        except Transient as error:
            if error.retry_after is None and await self._watch.was_down(outages):
                raise ServerWasDown from error
            raise


def _backoff(state: tenacity.RetryCallState) -> float:
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
