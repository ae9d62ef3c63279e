"""What is left of a limit that a provider tells: how many requests may still be sent, and when there are more."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evaluation.rate_limits.headers import Told

_PERIODS_S = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86_400.0}
_MINUTE_S = _PERIODS_S["minute"]  # OpenAI's and Anthropic's limits are of a minute
_SHOWN = 3  # tellings that agree on a period
_READABLE = 3  # times its resolution a time must be to say anything
_CLOSE = 1.5  # a rate that is told must be near to a period's
_WEIGHT = 0.8  # of what earlier requests took, beside the latest
_SLACK_S = 0.002  # after a moment that was told, which is rounded


class Allowance:
    """One limit of one provider. All times are of one steady clock, in seconds.

    A telling is about the moment at which its request was sent; what was sent since is taken from it. A request takes
    one unit, or, where the limit is of tokens, as many as the tellings show that requests take.
    """

    def __init__(self, name: str) -> None:
        self._counts_requests = name.startswith("requests")
        self._period_s = _PERIODS_S.get(name.rpartition("-")[2])
        self._periods: Counter[float] = Counter()
        self._told: Told | None = None
        self._at = 0.0
        self._number = 0
        self._units = 1.0 if self._counts_requests else 0.0

    def tell(self, told: Told, number: int, sent_at: float) -> None:
        """Take over what the reply to that request tells. Replies that were overtaken say nothing new."""
        if self._told is not None and number <= self._number:
            return
        if self._period_s is None:
            self._learn_period(told)
        if not self._counts_requests and self._told is not None:
            self._learn_units(self._told, told, number, sent_at)
        self._told, self._number, self._at = told, number, sent_at

    @property
    def rate(self) -> float | None:
        """Requests a second that the limit allows in the long run; None where that isn't known."""
        if self._told is None or not self._units:
            return None
        return self._told.limit / self._period() / self._units

    @property
    def known_rate(self) -> float | None:
        """The same, where it is documented, or the tellings show it: a bucket that is filled at a steady rate."""
        if self._period_s is not None:
            return self.rate
        period, shown = next(iter(self._periods.most_common(1)), (0.0, 0))
        return self.rate if period and shown >= max(_SHOWN, 0.8 * self._periods.total()) else None

    def wait_s(self, number: int, now: float) -> float:
        """Seconds until the request of that number, the next one, may be sent."""
        if self._told is None or not self._units:
            return 0.0
        told, rate = self._told, self._told.limit / self._period()
        ends = math.inf if told.reset_s is None else self._at + told.reset_s + _SLACK_S
        sent = (number - 1 - self._number) * self._units
        there = told.limit if now >= ends else min(told.limit, told.remaining + rate * (now - self._at))
        missing = min(self._units, told.limit) - (there - sent)
        if missing <= 0:
            return 0.0
        return min(missing / rate, ends - now if ends > now else math.inf)

    def _period(self) -> float:
        if self._period_s is not None:
            return self._period_s
        period, shown = next(iter(self._periods.most_common(1)), (_MINUTE_S, 0))
        return period if period and shown >= _SHOWN else _MINUTE_S

    def _learn_period(self, told: Told) -> None:
        """A bucket is full again when what is used is filled in; that gives the rate, and so the limit's period."""
        used = told.limit - told.remaining
        if told.reset_s is None or used <= 0 or told.reset_s < _READABLE * told.resolution_s:
            return
        period = told.limit * told.reset_s / used
        nearest = min(_PERIODS_S.values(), key=lambda each: abs(math.log(each / period)))
        self._periods[nearest if 1 / _CLOSE < period / nearest < _CLOSE else 0.0] += 1

    def _learn_units(self, before: Told, told: Told, number: int, sent_at: float) -> None:
        """What a request takes, from what was taken since the last telling."""
        filled = before.limit / self._period() * (sent_at - self._at)
        taken = max(0.0, before.remaining + filled - told.remaining) / (number - self._number)
        if told.remaining < told.limit:
            self._units = _WEIGHT * self._units + (1 - _WEIGHT) * taken if self._units else taken
