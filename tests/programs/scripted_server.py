"""A server that answers each prompt as a scenario says: many scenarios at once, each under a path of its own.

    python tests/programs/scripted_server.py FOLDER [--port P]

It prints {"port": P} when it listens; FOLDER/NAME.json is played at http://127.0.0.1:P/NAME. A scenario:

    {"get": {"/props": {...}}, "get_default": {"_status": 404}, "chat": [[PART, MESSAGE]], "completion": [[PART, TEXT]]}

The first rule whose PART stands in the prompt gives the answer. MESSAGE: a text, or {"message": {...}, "finish_reason":
"...", "usage": ..., "_status": 200, "_raw": whole body, "_times": N}; with "_times" the rule holds for that many
requests only. "_reset": true closes the connection instead. GET /NAME/asked gives what was asked, as [style, prompt,
body].
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
from collections import Counter, defaultdict
from pathlib import Path

USAGE = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}


class Server:
    def __init__(self, folder):
        self.scenarios = {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}
        self.asked = defaultdict(list)
        self.served = Counter()

    def get(self, name, path):
        if path == "/asked":
            return 200, self.asked[name]
        scenario = self.scenarios[name]
        found = scenario.get("get", {}).get(
            path, scenario.get("get_default", {"_status": 404, "error": "not found"})
        )
        found = dict(found) if isinstance(found, dict) else found
        return (found.pop("_status", 200) if isinstance(found, dict) else 200), found

    def post(self, name, raw):
        """Its status and body; the status is 0 where the connection is closed instead."""
        body = json.loads(raw)
        chat = "messages" in body
        prompt = body["messages"][-1]["content"] if chat else body["prompt"]
        style = "chat" if chat else "completion"
        self.asked[name].append([style, prompt, body])
        reply = self.pick(name, style, prompt)
        reply = {"message": {"content": reply}} if isinstance(reply, str) else reply
        if reply.get("_reset"):
            return 0, None
        if "_raw" in reply:
            return reply.get("_status", 200), reply["_raw"]
        message = {"role": "assistant", **reply["message"]}
        choice = {"index": 0, "finish_reason": reply.get("finish_reason", "stop")}
        choice |= {"message": message} if chat else {"text": message["content"]}
        usage = {} if reply.get("usage", USAGE) is None else {"usage": reply.get("usage", USAGE)}
        return reply.get("_status", 200), {
            "object": "chat.completion",
            "model": "m",
            "choices": [choice],
            **usage,
        }

    def pick(self, name, style, prompt):
        for number, (part, reply) in enumerate(self.scenarios[name].get(style, [["", "no idea"]])):
            key = name, style, number
            times = reply.get("_times") if isinstance(reply, dict) else None
            if part in prompt and (times is None or self.served[key] < times):
                self.served[key] += 1
                return reply
        return "ok"

    async def serve(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
                length = re.search(rb"(?i)content-length: *(\d+)", head)
                raw = await reader.readexactly(int(length[1])) if length else b""
                _, name, rest = path.split("/", 2)
                status, body = self.get(name, f"/{rest}") if method == "GET" else self.post(name, raw)
                if not status:
                    break
                data = json.dumps(body).encode()
                writer.write(
                    f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n"
                    f"Content-Length: {len(data)}\r\n\r\n".encode()
                    + data
                )
                await writer.drain()
        writer.close()


async def main(options):
    listener = await asyncio.start_server(Server(options.folder).serve, "127.0.0.1", options.port)
    print(json.dumps({"port": listener.sockets[0].getsockname()[1]}), flush=True)
    async with listener:
        await listener.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=0)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(parser.parse_args()))
