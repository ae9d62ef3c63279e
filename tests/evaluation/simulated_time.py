"""An event loop whose time passes only when everybody sleeps, and a provider with a rate limit in it."""

from __future__ import annotations

import asyncio
import json
import math
import random
import selectors
import time
from datetime import UTC, datetime
from email.utils import formatdate

from evaluation.models.exchange import Reply

BEGINS_S = 1_800_000_000.0  # of the wall clock, since 1970


class _Clock(selectors.DefaultSelector):
    def __init__(self):
        super().__init__()
        self.now = 1000.0

    def select(self, timeout=None):
        ready = super().select(0)
        if not ready and timeout:
            self.now += timeout
        return ready


def in_simulated_time(main, monkeypatch):
    """What the coroutine gives, and the seconds that passed for it."""
    clock = _Clock()
    loop = asyncio.SelectorEventLoop(clock)
    loop.time = lambda: clock.now
    began = clock.now
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: BEGINS_S + clock.now)
        try:
            return loop.run_until_complete(main), clock.now - began
        finally:
            loop.close()


class SimulatedProvider:
    """A bucket of `burst` requests, filled at `rate` a second; refusals come at once, answers after latency_s.

    told: openai, anthropic, or none; after: how Retry-After is given: number, date, nonsense, none.
    """

    def __init__(self, rate, burst, *, told="none", after="number", latency_s=0.1):
        self.rate, self.burst, self.told, self.after = rate, burst, told, after
        self.latency_s = latency_s
        self.level, self.at = float(burst), None
        self.asked = self.answered = self.refused = 0
        self.random = random.Random(1)

    async def __call__(self):
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.sleep(0.001 * self.random.random())  # on the way
        now = loop.time()
        self.level = min(self.burst, self.level + self.rate * (now - (self.at or now)))
        self.at = now
        self.asked += 1
        takes = self.level >= 1
        self.level -= takes
        headers = self.headers()
        if not takes:
            self.refused += 1
            wait_s = (1 - self.level) / self.rate
            given = {
                "number": str(math.ceil(wait_s)),
                "date": formatdate(math.ceil(time.time() + wait_s), usegmt=True),
                "nonsense": "soon",
            }
            if self.after in given:
                headers["Retry-After"] = given[self.after]
            return Reply(429, headers, b'{"error": {"message": "Rate limit reached"}}', loop.time() - began)
        self.answered += 1
        await asyncio.sleep(self.latency_s * (0.5 + self.random.random()))
        return Reply(200, headers, json.dumps({"number": self.answered}).encode(), loop.time() - began)

    def headers(self):
        limit, full_s = round(self.rate * 60), (self.burst - self.level) / self.rate
        remaining = str(max(0, math.floor(limit - (self.burst - self.level))))
        if self.told == "openai":
            return {
                "x-ratelimit-limit-requests": str(limit),
                "x-ratelimit-remaining-requests": remaining,
                "x-ratelimit-reset-requests": f"{math.ceil(full_s * 1000)}ms",
            }
        if self.told == "anthropic":
            at = datetime.fromtimestamp(math.ceil(time.time() + full_s), UTC)
            return {
                "anthropic-ratelimit-requests-limit": str(limit),
                "anthropic-ratelimit-requests-remaining": remaining,
                "anthropic-ratelimit-requests-reset": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        return {}
