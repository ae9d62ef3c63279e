"""Caps on what a run may cost: the worst case of a request is reserved before it is sent, and settled afterwards.

What may have been spent is on disk before a request is sent, in steps, so that a cap also holds for a run that was
killed and goes on.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from msgspec import structs

from evaluation.models.replies import error_status
from evaluation.spending.usage import paid_tokens
from results.errors import CapReached, UsageError
from results.spending import Spending, write_spending
from settings.spending.options import require_priced_by_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from settings.spending.prices import PaidTokens, Price

_LIMITS = ("max_tokens", "max_completion_tokens", "num_predict", "n_predict")
_TEMPLATE_TOKENS = 64  # what a chat template adds beyond the bytes of a body's own JSON
_TOOL_TOKENS = 1000  # the instructions that providers add to a prompt with tools or a schema
_STEPS = 32  # writes of `spending.json` until the cap; a kill loses as much of it
# Refused before anything was generated, or because there are too many requests. Other failures may be charged.
_NOT_CHARGED = {503, 529}


@dataclass(frozen=True, kw_only=True)
class Caps:
    """The most that a run may spend, its resumed tries together. None: as much as it takes."""

    max_cost_usd: float | None = None
    max_tokens: int | None = None

    @property
    def any(self) -> bool:
        return self.max_cost_usd is not None or self.max_tokens is not None


@dataclass(frozen=True, kw_only=True, eq=False)
class Reservation:
    """The most that one request can cost."""

    cost_usd: float
    tokens: int


class Budget:
    """What the requests of a run cost. One event loop; many requests at once.

    folder: the run's, for `spending.json`. price: None where it is not known; with `caps.max_cost_usd` there is one.
    earlier: what earlier tries of the run spent.
    """

    def __init__(
        self, folder: Path, *, price: Price | None, caps: Caps, earlier: Spending | None = None
    ) -> None:
        self._folder = folder
        self._price = price
        self._caps = caps
        self._open: set[Reservation] = set()
        self._reserved_usd = 0.0
        self._reserved_tokens = 0
        self._waiting: dict[asyncio.Future[None], None] = {}  # in the order in which they came
        spent = earlier or Spending()
        self._cost_usd = spent.cost_usd
        self._tokens = spent.tokens
        self._lost_requests = spent.lost_requests
        # What is settled, by its worst case where that is all that is known.
        self._most_cost_usd = spent.most_cost_usd or 0.0
        self._most_tokens = spent.most_tokens
        self._on_disk = (self._most_cost_usd, self._most_tokens)
        self._has_ended = False
        self._beside: Budget | None = None
        self._markup = 1.0  # of what is charged, over the listed price

    def share_with(self, other: Budget) -> None:
        """From now on, the caps of both hold for what both spend together."""
        self._beside, other._beside = other, self

    async def reserve(self, body: Mapping[str, Any], size_bytes: int) -> Reservation:
        """Return when the worst case of the request fits below the caps beside those on their way.

        body: as it is sent, in so many bytes. Raises CapReached when it doesn't fit though none is on its way, and
        UsageError for a request without a limit.
        """
        worst = self._worst(body, size_bytes)
        while self._has_ended or not self._fits(worst):
            if not self._open and (self._beside is None or not self._beside._open):  # noqa: SLF001 - of its own kind
                self._has_ended = True  # a smaller one that comes now would be cut off after it was paid
                raise self._reached(worst)
            settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting[settled] = None
            try:
                await settled
            finally:
                del self._waiting[settled]
        self._open.add(worst)
        self._reserved_usd += worst.cost_usd
        self._reserved_tokens += worst.tokens
        try:
            self._write_ahead()
        except BaseException:
            self._close(worst)
            raise
        return worst

    def settle(self, reserved: Reservation, raw: bytes, *, status: int, was_sent: bool) -> float | None:
        """What became of the request, and what it cost in USD; None where that is not known.

        status: of HTTP, 0 where there was no answer. was_sent: it may have reached the provider. Where an answer got
        lost, or has no count of its tokens, the worst case counts against the caps.
        """
        tokens = paid_tokens(raw) if status == 200 else None
        if tokens is None:
            meant = (error_status(raw) or status) if status == 200 else status
            if was_sent and not (400 <= meant < 500 or meant in _NOT_CHARGED):
                self._most_cost_usd += reserved.cost_usd
                self._most_tokens += reserved.tokens
                self._lost_requests += 1
            if meant == 200:
                self._cost_usd = None
            self._close(reserved)
            return None
        used = tokens.input_tokens + tokens.output_tokens
        cost = self._cost_of(tokens)
        self._tokens += used
        self._most_tokens += used
        self._most_cost_usd += reserved.cost_usd if cost is None else cost
        self._cost_usd = None if cost is None or self._cost_usd is None else self._cost_usd + cost
        self._close(reserved)
        return cost

    def spent(self) -> Spending:
        """So far; what is on its way counts with its worst case."""
        return Spending(
            cost_usd=None if self._cost_usd is None else round(self._cost_usd, 10),
            tokens=self._tokens,
            most_cost_usd=None if self._price is None else self._most_cost_usd + self._reserved_usd,
            most_tokens=self._most_tokens + self._reserved_tokens,
            lost_requests=self._lost_requests + len(self._open),
        )

    def close(self) -> None:
        """Write down what was spent. Raises ResultsError."""
        write_spending(self._folder, self.spent())

    def _cost_of(self, tokens: PaidTokens) -> float | None:
        listed = None if self._price is None else self._price.cost_usd(tokens)
        stated = tokens.stated_cost_usd
        if stated is not None and listed:
            self._markup = max(self._markup, stated / listed)  # OpenRouter may have taken a dearer provider
        return listed if stated is None else stated

    def _worst(self, body: Mapping[str, Any], size_bytes: int) -> Reservation:
        options = body.get("options")  # of Ollama's own API
        fields = {**body, **options} if isinstance(options, dict) else body
        limit = max((fields[name] for name in _LIMITS if type(fields.get(name)) is int), default=-1)
        if limit < 0:
            if not self._caps.any:
                return Reservation(cost_usd=0.0, tokens=0)
            raise UsageError(
                "a cap can't be held: the requests have no limit of their tokens", hint="give --max-tokens"
            )
        if self._caps.max_cost_usd is not None:
            require_priced_by_tokens(body)
        # A token has at least one byte. Thoughts have their own budget with some providers.
        with_tools = any(name in body for name in ("tools", "response_format", "output_config"))
        prompt = size_bytes + _TEMPLATE_TOKENS + _TOOL_TOKENS * with_tools
        answer = (limit + _thoughts(body)) * _choices(body)
        cost = 0.0 if self._price is None else self._price.worst_usd(prompt, answer) * self._markup
        return Reservation(cost_usd=cost, tokens=prompt + answer)

    def _fits(self, worst: Reservation) -> bool:
        caps, beside = self._caps, self._beside_it()
        cost = self._most_cost_usd + self._reserved_usd + worst.cost_usd + beside.cost_usd
        tokens = self._most_tokens + self._reserved_tokens + worst.tokens + beside.tokens
        return (caps.max_cost_usd is None or cost <= caps.max_cost_usd) and (
            caps.max_tokens is None or tokens <= caps.max_tokens
        )

    def _beside_it(self) -> Reservation:
        """The most that is spent under the same caps elsewhere."""
        other = self._beside
        if other is None:
            return Reservation(cost_usd=0.0, tokens=0)
        return Reservation(
            cost_usd=other._most_cost_usd + other._reserved_usd,  # noqa: SLF001
            tokens=other._most_tokens + other._reserved_tokens,  # noqa: SLF001
        )

    def _close(self, reserved: Reservation) -> None:
        self._open.discard(reserved)
        self._reserved_usd = self._reserved_usd - reserved.cost_usd if self._open else 0.0
        self._reserved_tokens -= reserved.tokens
        others = self._beside._waiting if self._beside is not None else {}  # noqa: SLF001
        for settled in (*self._waiting, *others):
            if not settled.done():
                settled.set_result(None)

    def _write_ahead(self) -> None:
        """What may have been spent is on disk, rounded up, before it is spent. So few writes may hold up the loop."""
        spent = self.spent()
        cost, tokens = spent.most_cost_usd or 0.0, spent.most_tokens
        if cost <= self._on_disk[0] and tokens <= self._on_disk[1]:
            return
        caps = self._caps
        cost += cost / 8 if caps.max_cost_usd is None else caps.max_cost_usd / _STEPS
        tokens += tokens // 8 if caps.max_tokens is None else caps.max_tokens // _STEPS
        ahead = structs.replace(
            spent, most_cost_usd=None if self._price is None else cost, most_tokens=tokens
        )
        write_spending(self._folder, ahead)
        self._on_disk = (cost, tokens)

    def _reached(self, worst: Reservation) -> CapReached:
        caps, beside = self._caps, self._beside_it()
        cost, tokens = self._most_cost_usd + beside.cost_usd, self._most_tokens + beside.tokens
        by_cost = caps.max_cost_usd is not None and cost + worst.cost_usd > caps.max_cost_usd
        lost = f", {self._lost_requests} lost answers included" if self._lost_requests else ""
        if by_cost:
            said = (
                f"the cap of {caps.max_cost_usd:g} USD is reached: {cost:.4g} USD are spent{lost}, and the next "
                f"request may cost {worst.cost_usd:.2g}"
            )
            return CapReached(said, hint="raise --max-cost", settings=("max_cost",))
        said = (
            f"the cap of {caps.max_tokens} tokens is reached: {tokens} are used{lost}, and the next request may take "
            f"{worst.tokens}"
        )
        return CapReached(said, hint="raise --max-tokens-total", settings=("max_tokens_total",))


def _choices(body: Mapping[str, Any]) -> int:
    """How many answers a body asks for."""
    given = [body.get(name) for name in ("n", "best_of")]
    return max((value for value in given if type(value) is int and value > 0), default=1)


def _thoughts(body: Mapping[str, Any]) -> int:
    """The budget of thoughts that a body gives beside the limit of its answer; 0 where the limit holds for both."""
    given = [
        body.get(name) for name in ("thinking_token_budget", "thinking_budget_tokens", "thinking_budget")
    ]
    return max((value for value in given if type(value) is int), default=0)
