"""A hosted provider without a model: OpenAI's API and Anthropic's Messages API, with the habits of each provider.

    python tests/programs/scripted_provider.py [--port P] [--prefix /v1] [--key KEY] [--chat-only] [--latency S]
        [--answers FILE|canonical|tools] [--refuse NAME=HOW ...] [--cost USD] [--fail-every N] [--overloaded-every N]
        [--rate R [--burst N] [--window S]] [--tokens-a-minute N] [--retry-after number|date|ms|nonsense|none|SECONDS]
        [--told openai|anthropic|window|none]

It prints {"port": P} when it listens. Below --prefix (Gemini's is /v1beta/openai) it has OpenAI's paths
chat/completions, completions and models; /v1/messages and /v1/models with `x-api-key` are Anthropic's. Any other path
is a 404, one without the right --key a 401.

--answers: "canonical" gives HumanEval's solutions, "tools" the calls of the shipped scenarios; a file has
[[PART, ANSWER], ...], of which the first whose PART stands in the prompt holds. ANSWER: a text, or {"text",
"reasoning", "tools": [[NAME, ARGUMENTS]], "end": the reason, "usage": {...}, "status": 400, "raw": whole body,
"headers": {...}}. --refuse: as refusals.py names it; Anthropic's API refuses every field that it doesn't know anyway.
--cost: of a token, in `usage.cost` as OpenRouter states it.
--fail-every, --overloaded-every: each Nth request is a 500, a 529.

--rate: requests a second, from a bucket of --burst (default: a second's worth); with --window, so many seconds' worth
in fixed windows instead. --tokens-a-minute: counted as OpenAI does, a prompt's characters / 4 and the most that is
asked for. What goes beyond is a 429 with Retry-After as --retry-after says (SECONDS: always those). --told: the headers
that tell the limits; window: those of a fixed window, with the seconds of the Unix epoch at its end.

GET /asked gives what was asked: [{"path", "headers", "body", "key": "right"|"wrong"|"none", "status"}], the headers
without the values of keys; GET /counts {"posts", "answered", "refused", "seconds": first request to last answer}.
Raw asyncio, since it must keep up with what is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import math
import re
import time
from email.utils import formatdate
from pathlib import Path

from known_answers import KNOWN
from refusals import refusal

KEYS = ("authorization", "x-api-key", "api-key", "x-goog-api-key")
ANTHROPIC_FIELDS = {
    "model", "messages", "max_tokens", "system", "stop_sequences", "temperature", "top_p", "top_k", "stream", "tools",
    "tool_choice", "thinking", "metadata", "service_tier", "output_config", "cache_control",
}  # fmt: skip
ANTHROPIC_ERRORS = {
    400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error", 413: "request_too_large",
    429: "rate_limit_error", 500: "api_error", 529: "overloaded_error",
}  # fmt: skip

CALLS = itertools.count()


class Bucket:
    """So many units a second, and at most `size` at once; with a window, fixed ones of so many seconds."""

    def __init__(self, rate, size, window=None):
        self.rate, self.window = rate, window
        self.size = rate * window if window else size
        self.level, self.at = float(self.size), time.monotonic()

    def fill(self):
        now = time.monotonic()
        if self.window is None:
            self.level, self.at = min(self.size, self.level + self.rate * (now - self.at)), now
        elif now >= self.at + self.window:
            self.at += self.window * math.floor((now - self.at) / self.window)
            self.level = float(self.size)

    def wait(self, units):
        """Seconds until so many are there; 0 where they are."""
        self.fill()
        missing = units - self.level
        if missing <= 1e-9:
            return 0.0
        return self.ends() if self.window else missing / self.rate

    def ends(self):
        """Seconds until it is full."""
        if self.window:
            return self.at + self.window - time.monotonic()
        return (self.size - self.level) / self.rate


def go_duration(seconds):
    """As OpenAI writes it: 12ms, 1.5s, 6m0s, 1h2m3s."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    tail = f"{rest:.3f}".rstrip("0").rstrip(".") + "s"
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + tail


def rfc3339(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(math.ceil(time.time() + seconds)))


class Provider:
    def __init__(self, options):
        self.options = options
        self.asked = []
        self.posts = self.answered = self.refused = 0
        self.first = self.last = 0.0
        known = KNOWN.get(options.answers)
        self.known = known() if known else None
        self.rules = [] if known or not options.answers else json.loads(Path(options.answers).read_text())
        self.requests = self.tokens = None
        if options.rate:
            burst = max(1.0, options.rate if options.burst is None else options.burst)
            self.requests = Bucket(options.rate, burst, options.window)
        if options.tokens_a_minute:
            self.tokens = Bucket(options.tokens_a_minute / 60, options.tokens_a_minute)

    def reply(self, method, path, headers, raw):
        """(status, headers, body) of one request; the body is text where it is to be sent as it is."""
        if method == "GET" and path == "/asked":
            return 200, {}, self.asked
        if method == "GET" and path == "/counts":
            counts = {"posts": self.posts, "answered": self.answered, "refused": self.refused}
            return 200, {}, {**counts, "seconds": self.last - self.first}
        anthropic = "x-api-key" in headers or path == "/v1/messages"
        body = json.loads(raw) if raw else None
        key = self.key(headers)
        if method == "POST":
            self.posts += 1
            self.first = self.first or time.monotonic()
        if key != "right" and self.options.key:
            status, more, answer = 401, {}, error(401, f"{key} API key", anthropic)
        elif method == "GET":
            status, more, answer = self.get(path, anthropic)
        else:
            status, more, answer = self.post(path, body, anthropic)
        seen = {name: "***" if name in KEYS else value for name, value in headers.items()}
        self.asked.append({"path": path, "headers": seen, "body": body, "key": key, "status": status})
        return status, more, answer

    def key(self, headers):
        given = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        return "none" if not given else "right" if given == self.options.key else "wrong"

    def get(self, path, anthropic):
        if path in {self.options.prefix + "/models", "/v1/models"}:
            model = {"type": "model", "id": "scripted", "display_name": "Scripted"}
            model = model if anthropic else {"id": "scripted", "object": "model", "owned_by": "scripted"}
            return 200, {}, {"data": [model], "object": "list"}
        return 404, {}, error(404, "not found", anthropic)

    def post(self, path, body, anthropic):
        chat = path == self.options.prefix + "/chat/completions"
        completion = path == self.options.prefix + "/completions" and not self.options.chat_only
        if not (chat or completion or path == "/v1/messages"):
            return 404, {}, error(404, f"no such path: {path}", anthropic)
        for name, _, how in (each.partition("=") for each in self.options.refuse):
            refused = refusal(how, name, body[name]) if name in body else None
            if refused is not None:
                return refused[0], {}, refused[1]
        if anthropic and (wrong := anthropic_fault(body)):
            return 400, {}, error(400, wrong, anthropic=True)
        every = self.options.overloaded_every
        if every and self.posts % every == 0:
            return 529, {}, error(529, "Overloaded", anthropic)
        if self.options.fail_every and self.posts % self.options.fail_every == 0:
            return 500, {}, error(500, "Internal server error", anthropic)
        refused = self.limit(body, anthropic)
        if refused is not None:
            self.refused += 1
            return refused
        self.answered += 1
        told = self.told()
        prompt = text_of(body)
        answer = self.pick(body, prompt, chat=not completion)
        answer = {"text": answer} if isinstance(answer, str) else answer
        told |= answer.get("headers", {})
        if "raw" in answer:
            return answer.get("status", 200), told, answer["raw"]
        if "status" in answer:
            return answer["status"], told, error(answer["status"], answer["text"], anthropic)
        make = anthropic_answer if anthropic else openai_answer
        return 200, told, make(body, answer, prompt, chat, self.options.cost)

    def pick(self, body, prompt, *, chat):
        if self.known:
            return self.known(body, prompt, chat)
        return next((answer for part, answer in self.rules if part in prompt), "ok")

    def limit(self, body, anthropic):
        """The refusal, where it goes beyond a limit."""
        tokens = len(text_of(body)) // 4 + (body.get("max_tokens") or body.get("max_completion_tokens") or 0)
        wait = max(
            self.requests.wait(1) if self.requests else 0.0, self.tokens.wait(tokens) if self.tokens else 0.0
        )
        if not wait:
            for bucket, units in ((self.requests, 1), (self.tokens, tokens)):
                if bucket:
                    bucket.level -= units
            return None
        how = self.options.retry_after
        after = {
            "number": {"retry-after": str(math.ceil(wait))},
            "date": {"retry-after": formatdate(math.ceil(time.time() + wait), usegmt=True)},
            "ms": {"retry-after-ms": str(math.ceil(wait * 1000))},
            "nonsense": {"retry-after": "soon, ask again"},
            "none": {},
        }.get(how, {"retry-after": how})
        return 429, {**after, **self.told()}, error(429, "Rate limit reached", anthropic)

    def told(self):
        """The headers of the limits; those of a minute, whatever shorter time they are held to."""
        found = {}
        for name, bucket in (("requests", self.requests), ("tokens", self.tokens)):
            if bucket is None or self.options.told == "none":
                continue
            bucket.fill()
            if self.options.told == "window":
                end = math.ceil(time.time() + bucket.ends())
                found |= {
                    "x-ratelimit-limit": str(int(bucket.size)),
                    "x-ratelimit-remaining": str(int(bucket.level)),
                    "x-ratelimit-reset": str(end),
                }
                continue
            limit = round(bucket.rate * 60)
            remaining = max(0, math.floor(limit - (bucket.size - bucket.level)))
            if self.options.told == "openai":
                found[f"x-ratelimit-limit-{name}"] = str(limit)
                found[f"x-ratelimit-remaining-{name}"] = str(remaining)
                found[f"x-ratelimit-reset-{name}"] = go_duration(bucket.ends())
            else:
                found[f"anthropic-ratelimit-{name}-limit"] = str(limit)
                found[f"anthropic-ratelimit-{name}-remaining"] = str(remaining)
                found[f"anthropic-ratelimit-{name}-reset"] = rfc3339(bucket.ends())
        return found

    async def serve(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode("latin-1").strip().split("\r\n")
                method, path, _ = first.split(" ")
                headers = {
                    name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
                }
                raw = await reader.readexactly(int(headers.get("content-length", 0)))
                status, more, body = self.reply(method, path, headers, raw)
                if status == 200 and method == "POST" and self.options.latency:
                    await asyncio.sleep(self.options.latency)
                data = (body if isinstance(body, str) else json.dumps(body)).encode()
                more = {"content-type": "application/json", **more, "content-length": len(data)}
                lines = "".join(f"{name}: {value}\r\n" for name, value in more.items())
                writer.write(f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode() + data)
                await writer.drain()
                if method == "POST" and status == 200:
                    self.last = time.monotonic()
        writer.close()


def error(status, said, anthropic):
    if anthropic:
        kind = ANTHROPIC_ERRORS.get(status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": said}, "request_id": "req_scripted"}
    return {"error": {"message": said, "type": "scripted_error", "param": None, "code": str(status)}}


def anthropic_fault(body):
    """What Anthropic's API would refuse about a body; "" where it is right."""
    if missing := [name for name in ("model", "max_tokens", "messages") if name not in body]:
        return f"{missing[0]}: Field required"
    if unknown := sorted(set(body) - ANTHROPIC_FIELDS):
        return f"{unknown[0]}: Extra inputs are not permitted"
    if any(message["role"] not in {"user", "assistant"} for message in body["messages"]):
        return "messages: Unexpected role. The Messages API accepts a top-level `system` parameter."
    thinking = body.get("thinking") or {}
    if (
        thinking.get("type") == "enabled"
        and not 1024 <= thinking.get("budget_tokens", 0) < body["max_tokens"]
    ):
        return "`max_tokens` must be greater than `thinking.budget_tokens`."
    if thinking.get("type") == "enabled" and body.get("temperature", 1) != 1:
        return "`temperature` may only be set to 1 when thinking is enabled."
    if any(not text.strip() for text in body.get("stop_sequences", ())):
        return "stop_sequences: each stop sequence must contain non-whitespace"
    return ""


def text_of(body):
    """All texts of a prompt, one below the other."""
    found = [body[name] for name in ("system", "prompt") if isinstance(body.get(name), str)]
    for message in body.get("messages", ()):
        content = message.get("content") or ""
        parts = [{"text": content}] if isinstance(content, str) else content
        found += [str(part.get("text") or part.get("content") or "") for part in parts]
    return "\n".join(found)


def openai_answer(body, answer, prompt, chat, cost):
    words = len(re.findall(r"\S+", answer.get("text", "") + answer.get("reasoning", ""))) or 1
    usage = {"prompt_tokens": len(prompt) // 4, "completion_tokens": words}
    usage["total_tokens"] = sum(usage.values())
    if cost is not None:
        usage["cost"] = cost * usage["total_tokens"]
    message = {"role": "assistant", "content": answer.get("text", "")}
    if "reasoning" in answer:
        message["reasoning"] = answer["reasoning"]
    if "tools" in answer:
        message["tool_calls"] = [
            {
                "id": f"call_{number}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(given)},
            }
            for number, (name, given) in enumerate(answer["tools"])
        ]
    end = answer.get("end", "tool_calls" if "tools" in answer else "stop")
    choice = {
        "index": 0,
        "finish_reason": end,
        **({"message": message} if chat else {"text": message["content"]}),
    }
    return {
        "id": "scripted",
        "object": "chat.completion" if chat else "text_completion",
        "created": int(time.time()),
        "model": body["model"],
        "choices": [choice],
        "usage": {**usage, **answer.get("usage", {})},
    }


def anthropic_answer(body, answer, prompt, _chat, _cost):
    words = len(re.findall(r"\S+", answer.get("text", "") + answer.get("reasoning", ""))) or 1
    content = []
    if "reasoning" in answer:
        content.append({"type": "thinking", "thinking": answer["reasoning"], "signature": "c2ln"})
    if answer.get("text"):
        content.append({"type": "text", "text": answer["text"]})
    for name, given in answer.get("tools", ()):
        content.append({"type": "tool_use", "id": f"toolu_{next(CALLS)}", "name": name, "input": given})
    usage = {
        "input_tokens": len(prompt) // 4,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": words,
    }
    return {
        "id": "msg_scripted",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": content,
        "stop_reason": answer.get("end", "tool_use" if "tools" in answer else "end_turn"),
        "stop_sequence": None,
        "usage": {**usage, **answer.get("usage", {})},
    }


async def main(options):
    listener = await asyncio.start_server(Provider(options).serve, "127.0.0.1", options.port)
    print(json.dumps({"port": listener.sockets[0].getsockname()[1]}), flush=True)
    async with listener:
        await listener.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--prefix", default="/v1")
    parser.add_argument("--key")
    parser.add_argument("--chat-only", action="store_true")
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--answers")
    parser.add_argument("--refuse", action="append", default=[], metavar="NAME=HOW")
    parser.add_argument("--cost", type=float)
    parser.add_argument("--fail-every", type=int)
    parser.add_argument("--overloaded-every", type=int)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--burst", type=float)
    parser.add_argument("--window", type=float)
    parser.add_argument("--tokens-a-minute", type=float)
    parser.add_argument("--retry-after", default="number")
    parser.add_argument("--told", default="none", choices=["openai", "anthropic", "window", "none"])
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(parser.parse_args()))
