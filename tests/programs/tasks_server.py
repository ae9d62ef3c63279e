"""An OpenAI-compatible server without a model: it answers a task file's prompts with the reference solutions.

    python tests/programs/tasks_server.py --tasks FILE [--port P] [--model-name NAME] [--wrong ID] [--part ID]

It prints {"port": P} when it listens. --wrong: that task gets a program that does nothing; --part: that one a function
or program that is right for the first case only. GET /posts says how many requests for an answer came.
"""

from __future__ import annotations

import argparse
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml


def squeezed(text: str) -> str:
    """Without what a docstring adds: indentation, and backslashes before quotes and backslashes."""
    return "".join(text.replace("\\", "").split())


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--model-name", default="m")
    parser.add_argument("--wrong", default="")
    parser.add_argument("--part", default="")
    return parser.parse_args()


OPTIONS = parse()
TASKS = yaml.safe_load(OPTIONS.tasks.read_text(encoding="utf-8"))["tasks"]
COUNT = {"posts": 0}


def answer(text: str, *, chat: bool) -> str:
    task = next((task for task in TASKS if squeezed(task["prompt"]) in squeezed(text)), None)
    if task is None:
        return "4"
    code = task["reference_solution"]
    if task["id"] == OPTIONS.wrong:
        code = "print()\n"
    if task["id"] == OPTIONS.part:
        first = task["test_cases"][0]["expected_output"]
        name = task.get("function")
        code = f"def {name}(*_):\n    return {first!r}\n" if name else f"print({first!r})\n"
    if not chat and "function" not in task:
        return code
    return (
        f"Here it is:\n\n```python\n{code}```\n\nIt prints:\n```\n5\n```\n"
        if chat
        else f"```python\n{code}```\n"
    )


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        bodies = {
            "/health": {"status": "ok"},
            "/v1/models": {"object": "list", "data": [{"id": OPTIONS.model_name, "object": "model"}]},
            "/posts": COUNT,
        }
        self.reply(200 if self.path in bodies else 404, bodies.get(self.path, {}))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        chat = "messages" in body
        COUNT["posts"] += 1
        said = answer(body["messages"][-1]["content"] if chat else body["prompt"], chat=chat)
        choice = {"message": {"role": "assistant", "content": said}} if chat else {"text": said}
        usage = {
            "prompt_tokens": 10,
            "completion_tokens": len(said) // 4,
            "total_tokens": 10 + len(said) // 4,
        }
        self.reply(200, {"choices": [{"index": 0, "finish_reason": "stop", **choice}], "usage": usage})

    def reply(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Server(ThreadingHTTPServer):
    request_queue_size = 128  # all requests come at once


if __name__ == "__main__":
    server = Server((OPTIONS.host, OPTIONS.port), Handler)
    print(json.dumps({"port": server.server_address[1]}), flush=True)
    server.serve_forever()
