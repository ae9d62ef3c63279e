"""How fast a server reads or generates tokens, from its own counters."""

from __future__ import annotations

LEAST_SPENT_S = 0.05  # llama-server reports 1 us for the token of readiness


class TokenRate:
    """Tokens per second of all requests together, from reading to reading.

    llama.cpp counts a request's tokens and seconds only when it ends: all of a long answer at once. Then the rate is
    the tokens over the seconds spent on them, times the requests that ran at once; over the time since the last
    reading, it would be many times too high. vLLM counts tokens as they come, so its rate is by the clock.
    least_s: the shortest time between two readings.
    """

    def __init__(self, least_s: float = 0.0) -> None:
        self._least_s = least_s
        self._time_s: float | None = None
        self._tokens = 0.0
        self._spent_s: float | None = None
        self._running = 0.0
        self._by_clock = False

    def after(
        self, time_s: float, tokens: float | None, spent_s: float | None, running: float | None
    ) -> float | None:
        """The rate at this reading; None if it isn't known, such as before the first request has ended.

        tokens, spent_s: the server's counters; with several requests at once, seconds grow faster than the clock.
        running: requests at this moment.
        """
        before_s = self._time_s
        if tokens is None or (before_s is not None and 0 <= time_s - before_s < self._least_s):
            return None
        most_running = max(1.0, self._running, running or 0.0)
        idle = self._running == running == 0
        self._time_s, self._running = time_s, running or 0.0
        grown = tokens - self._tokens
        spent = None if spent_s is None or self._spent_s is None else spent_s - self._spent_s
        if before_s is None or time_s <= before_s or grown < 0 or (spent or 0) < 0:
            self._tokens, self._spent_s = (
                tokens,
                spent_s,
            )  # the first reading, or one of another server process
            return None
        self._by_clock = self._by_clock or spent is None or (grown > 0 and spent == 0)
        if spent is None or self._by_clock:
            self._tokens, self._spent_s = tokens, spent_s
            return grown / (time_s - before_s)
        if not grown:
            return 0.0 if idle else None
        self._tokens, self._spent_s = tokens, spent_s
        return grown / spent * most_running if spent >= LEAST_SPENT_S else None
