"""A server that does all right in the scenarios of tool calling, but for the faults that it is told.

    python tests/programs/tool_server.py [--wrong ID,...] [--refuse MESSAGE] [--status N] [--lacks NAME]

It prints {"port": P} when it listens. --wrong: in these scenarios it answers in words instead. --refuse: every request
with tools gets this error. --lacks: a parameter that it refuses. GET /asked gives the bodies of all requests.
"""

from __future__ import annotations

import argparse
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from evaluation.benchmarks.tools.task import load_data
from tests.evaluation.right_calls import right_messages

SCENARIOS = {case.user: case for case in load_data(None).cases}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked: list = []  # noqa: RUF012 - one for all requests

    def do_GET(self):
        if self.path == "/asked":
            return self.answer(200, self.asked)
        if self.path == "/v1/models":
            return self.answer(200, {"data": [{"id": "m", "owned_by": "test"}]})
        return self.answer(404, {"error": "not found"})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(body)
        if options.refuse and body.get("tools"):
            return self.answer(options.status, {"error": {"code": options.status, "message": options.refuse}})
        if options.lacks in body:
            error = {"message": f"Unsupported parameter: '{options.lacks}'", "param": options.lacks}
            return self.answer(400, {"error": error})
        if not body.get("tools"):  # a probe of whoever waits until the server is ready
            choice = {"index": 0, "finish_reason": "stop", "text": "ok", "message": {"content": "ok"}}
            return self.answer(200, {"choices": [choice]})
        messages = body["messages"]
        last = max(place for place, each in enumerate(messages) if each["role"] == "user")
        scenario = SCENARIOS[messages[last]["content"]]
        turn = sum(each["role"] == "assistant" for each in messages[last:])
        said = right_messages(scenario)[turn]
        if scenario.id in options.wrong:
            said = {"role": "assistant", "content": "I would rather not."}
        reason = "tool_calls" if said.get("tool_calls") else "stop"
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        choice = {"index": 0, "finish_reason": reason, "message": said}
        return self.answer(200, {"object": "chat.completion", "choices": [choice], "usage": usage})

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--wrong", default="", type=lambda text: text.split(","))
    parser.add_argument("--refuse", default="")
    parser.add_argument("--lacks", default="")
    parser.add_argument("--status", type=int, default=400)
    options = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(json.dumps({"port": server.server_address[1]}), flush=True)
    server.serve_forever()
