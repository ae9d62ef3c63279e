"""Between an exchange and its server: requests that were answered before are not sent, and what is sent is paid.

The answers to one request for a completion, its retries and refusals included, stand on one bill.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import ClientConnectorError

from evaluation.answers.endings import Ending, ending_of
from evaluation.models.exchange import Reply
from evaluation.models.parameters import REFUSING
from evaluation.models.replies import error_status

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from evaluation.protocols import Answer
    from evaluation.spending.budget import Budget
    from evaluation.spending.response_cache import ResponseCache

_FREE = ("/tokenize", "/detokenize", "/apply-template")  # of local servers: no model computes


@dataclass
class _Bill:
    """What one completion cost so far. cost_usd: None where that isn't known. answers: that may be kept, by key."""

    index: int
    cost_usd: float | None = 0.0
    sent: int = 0
    answers: dict[bytes, tuple[int, bytes]] = field(default_factory=dict)


_BILL: ContextVar[_Bill] = ContextVar("bill")


class PaidRequests:
    """Implements `exchange.Spending`. cache, budget: None: without."""

    def __init__(
        self,
        *,
        cache: ResponseCache | None = None,
        budget: Budget | None = None,
    ) -> None:
        self._cache = cache
        self._budget = budget
        self._check: Callable[[], Awaitable[None]] | None = None
        self._checking = asyncio.Lock()

    def before_sending(self, check: Callable[[], Awaitable[None]]) -> None:
        """Await this once, before the first request that has to be sent; its errors end the run."""
        self._check = check

    def share_with(self, other: PaidRequests) -> None:
        """The caps hold for both together, if both have some."""
        if self._budget is not None and other._budget is not None:
            self._budget.share_with(other._budget)

    async def billed(self, index: int, work: Callable[[], Awaitable[Answer]]) -> Answer:
        """What the work comes to, with what its requests cost. A whole answer is kept."""
        bill = _Bill(index)
        token = _BILL.set(bill)
        try:
            answer = await work()
        finally:
            _BILL.reset(token)
        if bill.sent and self._cache is not None and _is_whole(answer):
            self._cache.keep(bill.answers)
        cached = not bill.sent and not answer.error
        return msgspec.structs.replace(
            answer,
            cost_usd=bill.cost_usd if self._budget is not None else None,
            cached=cached,
            request_s=None if cached else answer.request_s,
        )

    async def send(
        self, path: str, body: Mapping[str, Any], data: bytes, attempt: Callable[[], Awaitable[Reply]]
    ) -> Reply:
        """The reply to a request, sent by `attempt` unless it is kept. Raises what that raises, and CapReached."""
        bill = _BILL.get(None)
        keys: tuple[bytes, ...] = ()
        if self._cache is not None and bill is not None:
            keys = (self._cache.key(path, body, bill.index), self._cache.refusal_key(path, body))
            for key in keys:
                if (kept := await self._cache.get(key)) is not None:
                    return Reply(kept[0], {}, kept[1], 0.0)
        async with self._checking:
            if self._check is not None:
                await self._check()
                self._check = None
        budget = None if path in _FREE else self._budget
        reply = await (attempt() if budget is None else self._paid(budget, body, data, attempt, bill))
        if bill is not None:
            bill.sent += 1
            if keys and reply.status in {200, *REFUSING}:
                key = keys[reply.status != 200]
                bill.answers[key] = (reply.status, reply.raw)
        return reply

    async def _paid(
        self,
        budget: Budget,
        body: Mapping[str, Any],
        data: bytes,
        attempt: Callable[[], Awaitable[Reply]],
        bill: _Bill | None,
    ) -> Reply:
        reserved = await budget.reserve(body, len(data))
        status, raw, was_sent = 0, b"", True
        try:
            reply = await attempt()
            status, raw = reply.status, reply.raw
        except Exception as error:
            was_sent = not isinstance(error.__cause__, ClientConnectorError)
            raise
        else:
            return reply
        finally:
            cost = budget.settle(reserved, raw, status=status, was_sent=was_sent)
            if bill is not None and status == 200 and error_status(raw) is None:
                bill.cost_usd = None if cost is None or bill.cost_usd is None else bill.cost_usd + cost

    async def close(self) -> None:
        """Write down what was spent, and keep what is to be kept. Raises ResultsError."""
        try:
            if self._cache is not None:
                await self._cache.close()
        finally:
            if self._budget is not None:
                self._budget.close()


def _is_whole(answer: Answer) -> bool:
    """Whether it is the model's, with its end, and nothing that an outage left of it."""
    if answer.error or ending_of(answer.finish_reason) is Ending.BROKEN_OFF:
        return False
    return bool(answer.finish_reason or answer.text or answer.tool_calls)
