"""An OpenAI-compatible server without a model that streams tokens by the clock: the first after --first seconds, then
--per-chunk tokens every --gap seconds.

    python tests/programs/timed_server.py [--port P] [--first S] [--gap S] [--per-chunk N] [--early N] [--cached N]
        [--fail-every N] [--die-after N] [--slots N] [--words] [--strict] [--no-usage] [--closing]
        [--refuse NAME=HOW ...]

It prints {"port": P} when it listens. Times are kept by the clock, not by adding sleeps. A prompt is token ids, or
text of a token a word and one more. --early: answers end after so many tokens. --fail-every: each Nth request is
answered by 500. --die-after: it exits without a word when so many answers are given. --words: there is no /tokenize,
and ids are refused. --strict: unknown fields are refused, and not named. --refuse: requests with that field are
refused in one of the ways of refusals.py. --closing: it promises to keep a connection and closes it behind each stream,
as llama-server does. GET /asked gives the requests so far, each [prompt, max_tokens].
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re

from refusals import refusal

KNOWN = {"model", "prompt", "max_tokens", "temperature", "stream", "stream_options"}
CHUNKED = b"HTTP/1.1 200 X\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


class Server:
    def __init__(self, options):
        self.options = options
        self.asked = []
        self.answered = 0

    async def serve(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
                length = re.search(rb"(?i)content-length: *(\d+)", head)
                raw = await reader.readexactly(int(length[1])) if length else b""
                if method == "POST" and path == "/v1/completions":
                    await self.complete(json.loads(raw), writer)
                    if self.options.closing:
                        break
                else:
                    self.reply(writer, *self.other(path, raw))
                    await writer.drain()
        writer.close()

    def other(self, path, raw):
        if path == "/tokenize" and not self.options.words:
            words = json.loads(raw)["content"].split()
            return 200, {"tokens": [1000 + sorted(set(words)).index(word) for word in words]}
        if path == "/props" and self.options.slots:
            return 200, {"total_slots": self.options.slots, "default_generation_settings": {"n_ctx": 4096}}
        known = {"/health": {"status": "ok"}, "/v1/models": {"data": [{"id": "timed"}]}, "/asked": self.asked}
        return (200, known[path]) if path in known else (404, {"error": {"message": "not found"}})

    def reply(self, writer, status, body):
        data = json.dumps(body).encode()
        writer.write(
            f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(data)}\r\n\r\n".encode()
            + data
        )

    async def complete(self, body, writer):
        options, prompt = self.options, body["prompt"]
        self.asked.append([prompt, body.get("max_tokens")])
        for name, _, how in (each.partition("=") for each in options.refuse):
            if name in body:
                return self.reply(writer, *refusal(how, name, body[name]))
        if (options.strict and set(body) - KNOWN) or (options.words and not isinstance(prompt, str)):
            return self.reply(writer, 400, {"error": {"message": "no such field"}})
        if options.fail_every and len(self.asked) % options.fail_every == 0:
            return self.reply(writer, 500, {"error": {"message": "out of luck"}})
        if options.die_after is not None and self.answered >= options.die_after:
            os._exit(1)
        began = asyncio.get_running_loop().time()
        writer.write(CHUNKED)
        tokens = min(body["max_tokens"], options.early or body["max_tokens"])
        sent = 0
        for number in range(-(-tokens // options.per_chunk)):
            await self.until(began + options.first + number * options.gap)
            now = min(options.per_chunk, tokens - sent)
            sent += now
            choice = {"index": 0, "text": " x" * now, "finish_reason": "length" if sent == tokens else None}
            self.event(writer, {"choices": [choice]})
            await writer.drain()
        if not options.no_usage:
            read = len(prompt) if isinstance(prompt, list) else len(prompt.split()) + 1
            usage = {"prompt_tokens": read, "completion_tokens": sent}
            if options.cached:
                usage["prompt_tokens_details"] = {"cached_tokens": options.cached}
            self.event(writer, {"choices": [], "usage": usage})
        data = b"data: [DONE]\n\n"
        writer.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data))
        await writer.drain()
        self.answered += 1
        return None

    def event(self, writer, body):
        data = b": a comment\n\ndata: " + json.dumps(body).encode() + b"\n\n"
        writer.write(b"%x\r\n%b\r\n" % (len(data), data))

    async def until(self, when):
        await asyncio.sleep(max(0.0, when - asyncio.get_running_loop().time()))


async def main(options):
    server = Server(options)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", options.port)
    print(json.dumps({"port": listener.sockets[0].getsockname()[1]}), flush=True)
    async with listener:
        await listener.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--first", type=float, default=0.0)
    parser.add_argument("--gap", type=float, default=0.0)
    parser.add_argument("--per-chunk", type=int, default=1)
    for name in ("early", "cached", "fail-every", "slots"):
        parser.add_argument(f"--{name}", type=int, default=0)
    parser.add_argument("--die-after", type=int)
    parser.add_argument("--refuse", action="append", default=[], metavar="NAME=HOW")
    for name in ("words", "strict", "no-usage", "closing"):
        parser.add_argument(f"--{name}", action="store_true")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(parser.parse_args()))
