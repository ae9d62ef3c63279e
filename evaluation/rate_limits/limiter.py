"""Send each request when a provider's rate limits allow it; a request that they refuse is sent again."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from evaluation.models.replies import error_message, meant_status
from evaluation.rate_limits.allowance import Allowance
from evaluation.rate_limits.headers import asked_wait_s, told_limits
from evaluation.rate_limits.pace import Pace
from results.errors import SAME_COMMAND, RateLimited, ServerError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from evaluation.models.exchange import Reply

DEFAULT_PATIENCE_S = 600.0
_RATE_LIMITED, _OVERLOADED, _UNAVAILABLE = 429, 529, 503
_FIRST_BACKOFF_S, _MAX_BACKOFF_S = 0.25, 30.0
_LEAST_AGAIN_S = 0.025
_NAP_S = 0.5  # the longest sleep of who waits for its turn: meanwhile others may learn of a better one
_NOBODY = 2  # refusals in a row, after which all wait
_WORTH_SAYING_S = 5.0
_LONG_TURN_S = 30.0
_MOST_LIMITS = 8  # of one provider: what it tells is not trusted to be little
# Refusals with the status of a rate limit that no waiting helps against: OpenAI's and DeepSeek's without credit, and a
# request that is larger than the limit of a minute.
_NO_CREDIT = (
    "insufficient_quota",
    "exceeded your current quota, please check your plan",
    "credit balance is too low",
)
_TOO_LARGE = ("request too large for",)


class RateLimiter:
    """The rate limits of one provider, shared by all requests to it.

    where: its URL, for messages. patience_s: for how long one request may be refused. on_wait: is told, in a sentence,
    of a wait that a user would wonder about.
    """

    def __init__(
        self,
        where: str,
        *,
        patience_s: float = DEFAULT_PATIENCE_S,
        on_wait: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._where = where
        self._patience_s = patience_s
        self._on_wait = on_wait
        self._pace = Pace()
        self._allowances: dict[str, Allowance] = {}
        self._turn = asyncio.Lock()  # first come, first served
        self._number = 0
        self._held_until = self._refused_at = 0.0
        self._answered = True  # since the last refusal
        self._in_a_row = 0  # refusals of requests that were sent one after the other, and no answer
        self._end: RateLimited | None = None
        self._ended = asyncio.Event()
        self.refusals = 0  # how often a request was refused

    async def send(self, attempt: Callable[[], Awaitable[Reply]]) -> Reply:
        """The first reply that is no refusal for a rate limit or an overload, whatever else it is.

        attempt: sends the request once. Raises RateLimited where the refusals outlast the patience, of this
        request or of another; ServerError where waiting would not help; and what `attempt` raises.
        """
        clock = asyncio.get_running_loop().time
        refused_first: float | None = None
        tries = 0
        while True:
            if self._end is not None:
                raise self._end
            number, sent_at = await self._leave(clock)
            reply = await attempt()
            self._tell(reply, number, sent_at)
            now = clock()
            if not _is_refusal(reply):
                self._answered = True
                self._pace.accepted(now, self._known_rate())
                return reply
            tries += 1
            refused_first = now if refused_first is None else refused_first
            wait_s = self._refused(reply, number, sent_at, now, tries)
            self._require_patience(reply, wait_s, now - refused_first)
            if wait_s >= _WORTH_SAYING_S:
                self._on_wait(f"{self._where} asks to wait {wait_s:.0f} s: {error_message(reply.raw)}")
            await self._sleep(wait_s)

    async def _leave(self, clock: Callable[[], float]) -> tuple[int, float]:
        """Wait for a turn; the number of the request that may be sent now, and the time.

        A limit that would hold it up for longer than the patience is not believed: the provider's answer decides.
        """
        async with self._turn:
            is_said = False
            while True:
                now = clock()
                told = [each.wait_s(self._number + 1, now) for each in self._allowances.values()]
                waits = [self._held_until - now, self._pace.wait_s(now)]
                wait_s = max(*waits, *(each for each in told if each <= self._patience_s))
                if wait_s <= 0:
                    break
                if wait_s >= _LONG_TURN_S and not is_said:
                    is_said = True
                    self._on_wait(
                        f"by the limits of {self._where}, the next request can be sent in {wait_s:.0f} s"
                    )
                await self._sleep(min(wait_s, _NAP_S))
            self._number += 1
            self._pace.send(self._number, now)
            return self._number, now

    def _tell(self, reply: Reply, number: int, sent_at: float) -> None:
        for name, told in told_limits(reply.headers, time.time()).items():
            if name in self._allowances or len(self._allowances) < _MOST_LIMITS:
                self._allowances.setdefault(name, Allowance(name)).tell(told, number, sent_at)

    def _refused(self, reply: Reply, number: int, sent_at: float, now: float, tries: int) -> float:
        """Learn from a refusal; seconds until this request may ask again."""
        self.refusals += 1
        asked = asked_wait_s(reply.headers, reply.raw, time.time())
        backoff_s = _FIRST_BACKOFF_S if asked is None else _LEAST_AGAIN_S * (tries > 1)
        # What a provider asks for holds, but one that says 0 again and again is not asked without a pause.
        wait_s = max(asked or 0.0, float(min(backoff_s * 2 ** min(tries - 1, 10), _MAX_BACKOFF_S)))
        if is_new := sent_at > self._refused_at:
            self._refused_at = now
            self._in_a_row = 0 if self._answered else self._in_a_row + 1
            self._answered = False
        held = self._in_a_row >= _NOBODY
        if (
            meant_status(reply.status, reply.raw) == _RATE_LIMITED and not held
        ):  # an overload says nothing of our rate
            rates = [each.rate for each in self._allowances.values()]
            self._pace.refused(number, sent_at, now, min((rate for rate in rates if rate), default=None))
        if is_new and held:
            self._held_until = max(self._held_until, now + wait_s)
        return wait_s

    def _known_rate(self) -> float | None:
        rates = [each.known_rate for each in self._allowances.values()]
        return min((rate for rate in rates if rate), default=None)

    def _require_patience(self, reply: Reply, wait_s: float, waited_s: float) -> None:
        said = error_message(reply.raw)
        text = reply.raw.decode(errors="replace").lower()
        if any(sign in text for sign in _NO_CREDIT):
            raise ServerError(
                f"{self._where} has no credit left for this key: {said}",
                hint=f"add credit and {SAME_COMMAND} (what is finished is kept)",
            )
        if any(sign in text for sign in _TOO_LARGE):
            raise ServerError(
                f"a request is larger than the rate limit of {self._where} allows: {said}",
                hint="lower --max-tokens, or raise the limit at the provider",
            )
        if waited_s + wait_s > self._patience_s:
            asks = (
                f"asks to wait {wait_s:.0f} s"
                if wait_s > self._patience_s
                else f"refused it for {waited_s:.0f} s"
            )
            self._end = RateLimited(
                f"{self._where} takes no more requests ({reply.status}, {asks}): {said}",
                hint=f"{SAME_COMMAND} later (what is finished is kept), or raise --rate-limit-patience",
            )
            self._ended.set()
            raise self._end

    async def _sleep(self, seconds: float) -> None:
        """Raises RateLimited as soon as another request has waited too long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        if self._end is not None:
            raise self._end


def _is_refusal(reply: Reply) -> bool:
    """Whether it is for the moment, and because of how much is asked for."""
    if meant_status(reply.status, reply.raw) in {_RATE_LIMITED, _OVERLOADED}:
        return True
    return reply.status == _UNAVAILABLE and any(name.lower() == "retry-after" for name in reply.headers)
