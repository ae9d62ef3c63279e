"""An OpenAI-compatible server without a model, which finds the needles of the needle benchmark in its prompt.

    python tests/programs/needle_server.py [--n-ctx N] [--no-tokenize] [--no-usage] [--cut N] [--forget-beyond N]
                                            [--host H] [--port P] [--model-name NAME]

It prints {"port": P} when it listens. A token is a word, a digit or a mark; a template adds eleven.

    --n-ctx N          the context of a slot, at /props; 0: it has no /props
    --no-tokenize      it has no /tokenize
    --no-usage         its answers have no counts
    --cut N            it silently reads no more than the last N tokens of a prompt
    --forget-beyond N  in prompts of more than N tokens it finds nothing

GET /prompts gives the text of every prompt that asked for more than one token.
"""

from __future__ import annotations

import argparse
import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TEMPLATE_TOKENS = 11
TOKEN = re.compile(r"\d|[A-Za-z]+|[^\w\s]")
PROMPTS: list[str] = []


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--model-name", default="m")
    parser.add_argument("--n-ctx", type=int, default=4096)
    parser.add_argument("--no-tokenize", action="store_true")
    parser.add_argument("--no-usage", action="store_true")
    parser.add_argument("--cut", type=int, default=0)
    parser.add_argument("--forget-beyond", type=int, default=0)
    return parser.parse_args()


OPTIONS = parse()


def answer(text: str) -> str:
    """What stands in the text about what is asked at its end."""
    body, _, question = text.rpartition("Question: ")
    if key := re.search(r"archive numbers? of (.*?) according", question):
        return ", ".join(re.findall(rf"archive number of {key[1]} is (\d+)", body)) or "It is not there."
    if value := re.search(r"hold the value (\d+)", question):
        names = re.findall(rf"Register (\w+) is set to {value[1]}", body)
        for name, before in re.findall(r"Register (\w+) is set to the value of register (\w+)", body):
            names += [name] * (before in names)
        return ", ".join(names) or "None."
    return "4"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        bodies = {
            "/health": {"status": "ok"},
            "/v1/models": {"data": [{"id": OPTIONS.model_name}]},
            "/prompts": PROMPTS,
        }
        if OPTIONS.n_ctx:
            bodies["/props"] = {"total_slots": 4, "default_generation_settings": {"n_ctx": OPTIONS.n_ctx}}
        self.reply(200 if self.path in bodies else 404, bodies.get(self.path, {}))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/tokenize":
            tokens = list(range(len(TOKEN.findall(body["content"]))))
            self.reply(404 if OPTIONS.no_tokenize else 200, {"tokens": tokens})
            return
        chat = "messages" in body
        text = body["messages"][-1]["content"] if chat else body["prompt"]
        if body["max_tokens"] > 1:
            PROMPTS.append(text)
        places = [token.start() for token in TOKEN.finditer(text)]
        if OPTIONS.cut and len(places) > OPTIONS.cut:
            places = places[-OPTIONS.cut :]
            text = text[places[0] :]
        forgotten = OPTIONS.forget_beyond and len(places) > OPTIONS.forget_beyond
        said = "I don't remember." if forgotten else answer(text)
        choice = {"index": 0, "finish_reason": "stop"}
        choice |= {"message": {"role": "assistant", "content": said}} if chat else {"text": said}
        counts = {"prompt_tokens": len(places) + TEMPLATE_TOKENS * chat, "completion_tokens": len(said) // 4}
        self.reply(200, {"choices": [choice]} | ({} if OPTIONS.no_usage else {"usage": counts}))

    def reply(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    with Server((OPTIONS.host, OPTIONS.port), Handler) as server:
        print(json.dumps({"port": server.server_address[1]}), flush=True)
        server.serve_forever()
