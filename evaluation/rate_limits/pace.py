"""Find a rate that nobody tells: additive increase, multiplicative decrease.

A limit is a bucket that is filled at a steady rate. Whatever its size, it is empty whenever a request is refused; so
what is taken between two refusals, over the time between them, is the rate. Until there were two, the rate is a guess
that doubles quickly. From then on it is cut to a little less than what was found, and rises from there.
"""

from __future__ import annotations

_KEEP = 0.93  # of the rate that was found: what is left refills the bucket, so that the next refusal is far
_KEEP_TOLD = 0.98
_LEAST, _LEAST_TOLD, _MOST = (
    0.85,
    0.93,
    0.95,
)  # what a cut leaves: a small bucket runs over, and less is found
_RISE = 0.04  # of the rate at the last cut, a second
_RISE_DOUBLES_S = 3.0  # a rate that nobody refuses any more is found in seconds, however far it is
_STEEPEST = 1000.0
_SEARCH_DOUBLES_S = 0.3
_SEARCH_CUT, _SEARCH_LEAST = 0.6, 0.3
_MEASURED_S, _MEASURED = 0.25, 4  # the least time and the fewest answers that show a rate
_FIRST_GUESS_S = 1.0
_SLACK_S, _LEAST_SLACK_S = (
    0.05,
    0.002,
)  # that a late timer may catch up, unless the bucket is too small for that
_SLACK_DOUBLES_S = 10.0
_SLOWEST = 1 / 600  # requests a second


class Pace:
    """When the next request may be sent. It waits for nothing until a request was refused.

    All times are of one steady clock, in seconds; requests are numbered in the order in which they are sent.
    """

    def __init__(self) -> None:
        self.rate: float | None = None  # requests a second; None: as many as one likes
        self._searches = False
        self._due = 0.0
        self._slack_s = _SLACK_S
        self._base = 0.0  # the rate after the last cut
        self._cut_at = self._raised_at = 0.0
        self._measured: tuple[int, float] | None = None  # the request that the rate is measured from
        self._refused: list[int] = []  # since then

    def wait_s(self, now: float) -> float:
        """Until the next one may be sent."""
        return 0.0 if self.rate is None else max(0.0, self._due - now)

    def send(self, number: int, now: float) -> None:
        """One is sent."""
        if self._measured is None:
            self._measured = number - 1, now
        if self.rate is not None:
            self._due = max(self._due, now - self._slack_s) + 1 / self.rate

    def accepted(self, now: float, most: float | None = None) -> None:
        """One was answered: go a little faster, up to `most`, where that is known."""
        if self.rate is None:
            return
        elapsed, self._raised_at = now - self._raised_at, now
        self._slack_s = min(
            _SLACK_S, self._slack_s * 2 ** (min(elapsed, _SLACK_DOUBLES_S) / _SLACK_DOUBLES_S)
        )
        if self._searches:
            self.rate *= 2 ** (min(elapsed, _SEARCH_DOUBLES_S) / _SEARCH_DOUBLES_S)
        else:
            steeper = min(2 ** min(30.0, (now - self._cut_at) / _RISE_DOUBLES_S), _STEEPEST)
            self.rate += self._base * _RISE * steeper * elapsed
        if most is not None:
            self.rate = min(self.rate, max(_KEEP_TOLD * most, self._base))

    def refused(self, number: int, sent_at: float, now: float, told: float | None = None) -> None:
        """The one of that number, sent then, was refused. told: the rate that the provider tells, where it does."""
        first, since = self._measured or (number - 1, sent_at)
        if number > first:
            self._refused.append(number)
        if self.rate is not None and sent_at <= self._cut_at:
            return  # of one burst with the last
        taken = number - first - sum(refused <= number for refused in self._refused)
        seconds = sent_at - since
        shows = seconds >= _MEASURED_S and taken >= _MEASURED
        if self.rate is None:
            self.rate = _KEEP_TOLD * told if told else max(1, taken) / max(_FIRST_GUESS_S, seconds)
            self._searches = told is None
        elif shows:
            keep = _KEEP_TOLD if told else _KEEP
            least = _SEARCH_LEAST if self._searches else _LEAST_TOLD if told else _LEAST
            self.rate *= min(max(keep * taken / seconds / self.rate, least), max(keep, _MOST))
            self._searches = False
        else:
            self.rate *= _SEARCH_CUT if self._searches else _MOST
        self.rate = max(self.rate, _SLOWEST)
        if not self._searches:
            self._slack_s = max(_LEAST_SLACK_S, self._slack_s / 2)
        if shows or not self._base:
            self._measured = number, sent_at
            self._refused = [refused for refused in self._refused if refused > number]
        self._base, self._cut_at, self._raised_at = self.rate, now, now
        self._due = now + 1 / self.rate
