"""A server of any bytes: it answers each path with what a file says, however wrong that is.

    python tests/programs/raw_server.py SCENARIO.json [--port P] [--key FILE --cert FILE]

It prints {"port": P} when it listens. SCENARIO: {"/path": REPLY, ...}; "*" is for every other path. A REPLY:

    {"json": ..., "status": 200, "headers": {...}}   a well-formed answer
    {"text": "...", ...}                              the same, of that body; "repeat": N writes it so many times
    {"stream": ["data: ...", ...]}                    an event stream; "repeat": N repeats the last event
    {"bytes": "...", ...}                             nothing but these characters (latin-1): head and all
    "drip": S                                         one byte every S seconds, to the end of the connection
    "drip_after": N                                   the first N bytes at once
    "replies": [REPLY, ...]                           one after the other, the last one for ever

GET /asked gives the requests so far, as [method, path, headers, body].
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import ssl
from pathlib import Path

CHUNK = 1 << 16


class Server:
    def __init__(self, scenario):
        self.scenario = scenario
        self.asked = []
        self.served = {}

    def reply(self, path):
        found = self.scenario.get(
            path, self.scenario.get("*", {"json": {"error": "not found"}, "status": 404})
        )
        if "replies" in found:
            number = self.served[path] = self.served.get(path, -1) + 1
            found = found["replies"][min(number, len(found["replies"]) - 1)]
        return found

    async def serve(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
                length = re.search(rb"(?i)content-length: *(\d+)", head)
                raw = await reader.readexactly(int(length[1])) if length else b""
                if path == "/asked":
                    await self.write(writer, {"json": self.asked})
                    continue
                self.asked.append([method, path, head.decode(errors="replace"), raw.decode(errors="replace")])
                reply = self.reply(path)
                await self.write(writer, reply)
                if "bytes" in reply:
                    break
        writer.close()

    async def write(self, writer, reply):
        if "bytes" in reply:
            await self.pour(writer, reply["bytes"].encode("latin-1"), reply)
            return
        repeat = reply.get("repeat", 1)
        if "stream" in reply:
            *events, last = [event.encode() + b"\n\n" for event in reply["stream"]]
            body, tail, kind = b"".join(events), last, "text/event-stream"
        else:
            text = reply["text"] if "text" in reply else json.dumps(reply["json"])
            body, tail, kind = b"", text.encode(), "application/json"
        headers = {
            "Content-Type": kind,
            "Content-Length": len(body) + repeat * len(tail),
            **reply.get("headers", {}),
        }
        head = f"HTTP/1.1 {reply.get('status', 200)} X\r\n" + "".join(
            f"{name}: {value}\r\n" for name, value in headers.items()
        )
        await self.pour(writer, head.encode() + b"\r\n" + body, reply)
        many = max(1, CHUNK // max(1, len(tail)))
        while repeat > 0:
            await self.pour(writer, tail * min(many, repeat), reply)
            repeat -= many

    async def pour(self, writer, data, reply):
        at_once = len(data) if "drip" not in reply else reply.get("drip_after", 0)
        writer.write(data[:at_once])
        await writer.drain()
        for byte in data[at_once:]:
            await asyncio.sleep(reply["drip"])
            writer.write(bytes([byte]))
            await writer.drain()


async def main(options):
    server = Server(options.scenario)
    secured = None
    if options.cert:
        secured = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        secured.load_cert_chain(options.cert, options.key)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", options.port, ssl=secured)
    print(json.dumps({"port": listener.sockets[0].getsockname()[1]}), flush=True)
    async with listener:
        await listener.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scenario", type=lambda path: json.loads(Path(path).read_text(encoding="utf-8")))
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--cert")
    parser.add_argument("--key")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(parser.parse_args()))
