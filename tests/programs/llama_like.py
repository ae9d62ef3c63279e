"""A program that is started like llama-server and answers like `canonical_server.py`, without a model.

    python tests/programs/llama_like.py -m FILE --port P --alias NAME [any other option of llama-server]

Completions that are streamed are as long as was asked for, a token every 2 ms, slower for files with "slow" in their
name. It answers a third of HumanEval's problems wrongly; others for each file.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import sys
from pathlib import Path

from canonical_server import Answers

CHUNKED = b"HTTP/1.1 200 X\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
GAP_S, SLOW_GAP_S = 0.002, 0.02


async def serve(reader, writer, answers, gap_s):
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while head := await reader.readuntil(b"\r\n\r\n"):
            method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            raw = await reader.readexactly(int(length[1])) if length else b""
            if method == "POST" and json.loads(raw).get("stream"):
                await stream(json.loads(raw), writer, gap_s)
                continue
            status, headers, body = answers.post(path, raw) if method == "POST" else answers.get(path)
            data = json.dumps(body).encode()
            writer.write(
                f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{headers}"
                f"Content-Length: {len(data)}\r\n\r\n".encode()
                + data
            )
            await writer.drain()
    writer.close()


async def stream(body, writer, gap_s):
    def event(told):
        data = b"data: " + (told if isinstance(told, bytes) else json.dumps(told).encode()) + b"\n\n"
        writer.write(b"%x\r\n%b\r\n" % (len(data), data))

    writer.write(CHUNKED)
    tokens = body.get("max_tokens") or 1
    for number in range(tokens):
        await asyncio.sleep(gap_s)
        event(
            {
                "choices": [
                    {"index": 0, "text": " x", "finish_reason": "length" if number + 1 == tokens else None}
                ]
            }
        )
        await writer.drain()
    prompt = body.get("prompt", "")
    read = len(prompt) if isinstance(prompt, list) else len(prompt.split()) + 1
    event({"choices": [], "usage": {"prompt_tokens": read, "completion_tokens": tokens}})
    event(b"[DONE]")
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def main(options):
    name = Path(options.model).name
    answers = Answers(
        argparse.Namespace(
            mode="canonical", fail_first=0, fail_status=500, retry_after=None, die_after=None, delay=0.0, no_chat=False,
            no_completions=False, wrong=0.33, salt=name, wrong_if=[], lost_if=[], answered=None, name=options.alias,
            refuse=[], bodies=None, props=None,
        )
    )  # fmt: skip
    gap_s = SLOW_GAP_S if "slow" in name else GAP_S
    server = await asyncio.start_server(
        lambda reader, writer: serve(reader, writer, answers, gap_s), "127.0.0.1", options.port
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    if "--help" in sys.argv or "--version" in sys.argv:
        sys.exit(print("llama-like"))
    parser = argparse.ArgumentParser()
    parser.add_argument("-m", "--model", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--alias", required=True)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(parser.parse_known_args()[0]))
