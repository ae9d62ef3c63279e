"""Slows down who guesses keys, without locking out who has one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from web.access.rates import network_of
from web.errors import ApiError

if TYPE_CHECKING:
    from starlette.requests import Request

    from web.access.rates import Rates
    from web.access.wrong_keys import WrongKeys

HOLD_BACK_S = 1.0
MOST_WAITING = 50  # answers that are held back at once


class Guesses:
    """Counts wrong keys, of each address and of all together. A right key is never counted, and always taken."""

    def __init__(self, rates: Rates, wrong_keys: WrongKeys, *, hold_back_s: float = HOLD_BACK_S) -> None:
        self._rates = rates
        self._wrong_keys = wrong_keys
        self._hold_back_s = hold_back_s
        self._waiting = 0

    async def count(self, request: Request) -> None:
        """Count a wrong key of the request's sender. Over the limit, wait and raise ApiError (429)."""
        address = request.client.host if request.client else ""
        self._wrong_keys.count(network_of(address))
        left_s = self._rates.guessed(address)
        if left_s is None:
            return
        if self._waiting < MOST_WAITING:
            self._waiting += 1
            try:
                await asyncio.sleep(self._hold_back_s)
            finally:
                self._waiting -= 1
        raise ApiError(429, "too many wrong keys; a right one is taken at any time", retry_after_s=left_s)
