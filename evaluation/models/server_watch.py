"""Know whether the server lives, and wait for a dead one, which the harness restarts at the same URL."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import aiohttp

from results.errors import SAME_COMMAND, ServerNotReady

if TYPE_CHECKING:
    from collections.abc import Callable

_POLL_S = 0.1  # loopback answers in under a millisecond, so this costs nothing and loses no time
_FAR_POLL_S = 2.0  # of somebody else's server
_PROBE_TIMEOUT_S = 5.0


class ServerWatch:
    """The state of one server, shared by all requests to it: one of them polls, the others wait.

    outages: how often it was found dead and came back. paths: where it says that it lives, the first that it has.
    is_near: on this machine, where asking often costs nothing.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        root_url: str,
        *,
        wait_s: float,
        on_outage: Callable[[bool], None],
        paths: tuple[str, ...] = ("/health", "/v1/models"),
        follows_redirects: bool = True,
        is_near: bool = True,
    ) -> None:
        self.outages = 0
        self._session = session
        self._root = root_url
        self._wait_s = wait_s
        self._on_outage = on_outage
        self._paths = paths
        self._follows_redirects = follows_redirects
        self._poll_s = _POLL_S if is_near else _FAR_POLL_S
        self._lock = asyncio.Lock()

    async def lives(self) -> bool:
        """Whether it says so now: `/health` is 200 or, on a server without it, `/v1/models` answers."""
        status = 500
        try:
            for path in self._paths:
                status = await self._status(path)
                if status not in {404, 405, 501}:
                    break
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False
        return status < 500

    async def was_down(self, since_outages: int) -> bool:
        """True when it was down since then and is back, False when it lives and lived all along.

        Waits for a dead one. Raises ServerNotReady when it is not back in time.
        """
        async with self._lock:
            if self.outages > since_outages:
                return True
            if await self.lives():
                return False
            self._on_outage(True)
            deadline = time.monotonic() + self._wait_s
            while not await self.lives():
                if time.monotonic() > deadline:
                    raise ServerNotReady(
                        f"the server at {self._root} is gone and was not back within {self._wait_s:g} s",
                        hint=f"start it and {SAME_COMMAND} (what is finished is kept)",
                    )
                await asyncio.sleep(self._poll_s)
            self.outages += 1
            self._on_outage(False)
            return True

    async def _status(self, path: str) -> int:
        timeout = aiohttp.ClientTimeout(total=_PROBE_TIMEOUT_S)
        async with self._session.get(
            self._root + path, timeout=timeout, allow_redirects=self._follows_redirects
        ) as response:
            return response.status
