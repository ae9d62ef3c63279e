"""How long many requests take at a provider with a rate limit, over the least time that the limit allows.

`python -m tests.benchmarks --only rate_limits`, about three minutes. The limits are told in each of the usual forms, or
must be found; a bucket of one second's requests is full at the start. Every request must be answered. Where the machine
is too slow for the limit, the floor is what the same requests take at a provider without one.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, NamedTuple

from evaluation.models.connection import build_connection_info
from evaluation.models.providers import get_interface_for_provider
from evaluation.models.sampling import Sampling
from evaluation.protocols import PromptStyle, Request
from tests.benchmarks.programs import PROGRAMS
from tests.benchmarks.rows import Row
from tests.benchmarks.timing import Failed

if TYPE_CHECKING:
    from collections.abc import Iterator

RATES = (5, 50, 400)  # requests a second
SECONDS = 10  # that the limit alone takes
TOLD, FOUND = 1.15, 1.6  # the most over the floor
WAYS = {  # how a limit is told, how long to wait after a refusal, and the bound
    "openai": ("number", TOLD),
    "anthropic": ("date", TOLD),
    "none": ("number", FOUND),
    "neither": ("none", FOUND),
}
LATENCY_S = 0.05


class Measured(NamedTuple):
    """lost: requests without an answer. refused: how often the provider refused one."""

    seconds: float
    lost: int
    refused: int


def requests_at(rate: int) -> int:
    return rate * SECONDS + rate  # the bucket's, and what is filled in


def at_once(rate: int) -> int:
    return max(16, rate // 5)


async def answered(url: str, rate: int) -> int:
    """How many requests have an answer."""
    info = build_connection_info("compatible", {"base_url": url, "model": "scripted", "max_retries": 0})
    work = iter(range(requests_at(rate)))
    found = 0
    async with get_interface_for_provider(info) as interface:

        async def ask() -> None:
            nonlocal found
            for number in work:
                request = Request(
                    task_id=str(number),
                    index=0,
                    style=PromptStyle.CHAT,
                    system="",
                    user=f"What is {number}?",
                    sampling=Sampling(max_tokens=16),
                )
                answer = await interface.generate(request)
                found += not answer.error

        await asyncio.gather(*(ask() for _ in range(at_once(rate))))
    return found


def once(rate: int, *options: object) -> Measured:
    """At a provider of its own."""
    command = [sys.executable, str(PROGRAMS / "scripted_provider.py"), "--latency", str(LATENCY_S)]
    with subprocess.Popen([*command, *map(str, options)], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{json.loads(server.stdout.readline())['port']}"
            began = time.perf_counter()
            found = asyncio.run(answered(url, rate))
            seconds = time.perf_counter() - began
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                url + "/counts"
            ) as response:
                counts = json.load(response)
        finally:
            server.kill()
    if counts["answered"] != found:
        raise Failed(f"the provider answered {counts['answered']}, and {found} arrived")
    return Measured(seconds, requests_at(rate) - found, counts["refused"])


def measure(repeats: int = 1) -> Iterator[Row]:
    lost = 0
    for rate in RATES:
        for way, (after, bound) in WAYS.items():
            told = way if bound == TOLD else "none"
            ratios, refusals = [], []
            for _ in range(repeats):
                floor = max(SECONDS + LATENCY_S, once(rate).seconds)
                found = once(rate, "--rate", rate, "--told", told, "--retry-after", after)
                ratios.append(found.seconds / floor)
                refusals.append(found.refused)
                lost += found.lost
            said = "limits " + (f"told as {way}" if bound == TOLD else "found") + f", Retry-After: {after}"
            refused = f"{statistics.median(refusals):.0f} refusals"
            note = f"{requests_at(rate)} requests, {refused}; {said}; {repeats} repeats"
            yield Row(f"rate limit / {rate} a second", statistics.median(ratios), "x", bound, note)
    yield Row("rate limit / lost answers", float(lost), "answers", 0.0)
