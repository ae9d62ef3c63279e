"""An OpenAI-compatible server without a model, which answers as a file says.

    python tests/programs/answering_server.py FILE [PORT]

FILE: JSON, {text: answer or [answer, ...]}: a prompt that holds the text gets that answer; of several it gets the first
one the first time, and so on round. Any other prompt gets "4". It prints {"port": P} when it listens.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ANSWERS = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
GIVEN = Counter()
LOCK = threading.Lock()


def answer(prompt):
    text = next((text for text in ANSWERS if text in prompt), None)
    if text is None:
        return "4"
    answers = [ANSWERS[text]] if isinstance(ANSWERS[text], str) else ANSWERS[text]
    with LOCK:
        GIVEN[text] += 1
        return answers[(GIVEN[text] - 1) % len(answers)]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        found = {
            "/health": {"status": "ok"},
            "/v1/models": {"object": "list", "data": [{"id": "m", "object": "model"}]},
        }
        self.reply(
            200 if self.path in found else 404, found.get(self.path, {"error": {"message": "not found"}})
        )

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        chat = self.path.endswith("/chat/completions")
        text = answer("\n".join(m["content"] for m in asked["messages"]) if chat else asked["prompt"])
        choice = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
        self.reply(
            200,
            {
                "object": "chat.completion" if chat else "text_completion",
                "model": asked.get("model", "m"),
                "choices": [{"index": 0, "finish_reason": "stop", **choice}],
                "usage": {"prompt_tokens": 9, "completion_tokens": len(text) // 4 + 1},
            },
        )

    def reply(self, status, value):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(next(iter(sys.argv[2:]), 0))), Handler)
    print(json.dumps({"port": server.server_address[1]}), flush=True)
    server.serve_forever()
