"""How often a user may ask, and how often anybody may guess a key."""

from __future__ import annotations

import ipaddress
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

GUESSES_PER_ADDRESS = 10  # a minute
GUESSES = 100  # a minute, from everywhere


class Rates:
    """Moving windows of a minute, exact. A user's requests of the API and of pages are counted apart, so that a script
    doesn't lock its owner out of the dashboard; files of the pages (`/static/`) and `/health` are not counted.
    """

    def __init__(self, requests_per_minute: int) -> None:
        self._window = MovingWindowRateLimiter(MemoryStorage())
        self._requests = RateLimitItemPerMinute(requests_per_minute)
        self._guesses = RateLimitItemPerMinute(GUESSES_PER_ADDRESS)
        self._all_guesses = RateLimitItemPerMinute(GUESSES)

    def take(self, user: str, kind: str) -> float | None:
        """Count a request. None if it is within the limit, else how many seconds later the next one is."""
        if self._window.hit(self._requests, user, kind):
            return None
        return self._left_s(self._requests, user, kind)

    def guessed(self, address: str) -> float | None:
        """Count a wrong key. None if that is within the limits, else how many seconds later another one is.

        A right key is never counted, and never refused for the wrong ones of others.
        """
        known = network_of(address)
        of_address = self._window.hit(self._guesses, "guess", known)
        of_all = self._window.hit(self._all_guesses, "guess")
        waits = [
            *([] if of_address else [self._left_s(self._guesses, "guess", known)]),
            *([] if of_all else [self._left_s(self._all_guesses, "guess")]),
        ]
        return max(waits, default=None)

    def _left_s(self, item: RateLimitItemPerMinute, *names: str) -> float:
        return max(0.0, self._window.get_window_stats(item, *names).reset_time - time.time())


def network_of(address: str) -> str:
    """What one holder has: an IPv4 address, or the 64 bits of an IPv6 address that a network gets."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
