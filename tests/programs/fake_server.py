"""A fake OpenAI-compatible server with faults to order; standard library only (`python -I -S`)."""

import argparse
import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, required=True)
    add("--model-name", default="fake")
    add("--load-seconds", type=float, default=0.0, help="/health says 503 that long")
    add("--bind-after", type=float, default=0.0, help="seconds before it listens at all")
    add("--never-bind", action="store_true")
    add("--exit-code", type=int, help="ends with this code after --exit-after seconds")
    add("--exit-after", type=float, default=0.0)
    add("--die-by", type=int, help="ends by this signal after --exit-after seconds")
    add("--ignore-sigterm", action="store_true")
    add("--fork-workers", type=int, default=0, help="children in its own group")
    add("--daemonise-worker", action="store_true", help="a worker that left group, session and parent")
    add("--worker-listens", action="store_true", help="a forked worker serves, the leader only waits")
    add("--crash-after", type=int, help="completions, then exit code 7 in the middle of the next")
    add("--hang-after", type=int, help="completions, then every further one never answers")
    add("--health-lies", action="store_true", help="completions hang from the beginning")
    add("--everything-hangs", action="store_true", help="with --hang-after: /slots hangs then too")
    add("--no-completions", action="store_true", help="/v1/completions is 404; chat works")
    add("--reject", type=int, help="completions answer with this status")
    add("--api-key")
    add("--print", default="", help="a line to print at the start")
    add("--huge-log", type=int, default=0, help="MiB to print at the start")
    add(
        "--times",
        help="file: lines `healthy T` and `post T PATH`, T of the monotonic clock, which all processes share",
    )
    add("--binary-log", action="store_true", help="prints bytes that are no UTF-8")
    return parser.parse_args()


OPTIONS = parse()
BEGAN = time.monotonic()
LOCK = threading.Lock()
COUNT = {"completions": 0, "hanging": 0}


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        loading = time.monotonic() - BEGAN < OPTIONS.load_seconds
        if self.path == "/health":
            self.answer(503 if loading else 200, {"status": "loading model" if loading else "ok"})
        elif self.path == "/v1/models":
            self.guarded(lambda: self.answer(200, {"data": [{"id": OPTIONS.model_name}]}))
        elif self.path == "/slots":
            if OPTIONS.everything_hangs and COUNT["hanging"]:
                hang()
            busy = COUNT["hanging"] > 0
            slot = {"is_processing": busy, "id_task": COUNT["completions"], "next_token": [{"n_decoded": 3}]}
            self.answer(200, [slot])
        else:
            self.answer(404, {"error": "no such path"})

    def do_POST(self) -> None:
        note(f"post {time.monotonic()} {self.path}")
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/v1/completions" and OPTIONS.no_completions:
            self.answer(404, {"error": "no such path"})
        else:
            self.guarded(self.complete)

    def guarded(self, serve) -> None:
        if OPTIONS.api_key and self.headers.get("Authorization") != f"Bearer {OPTIONS.api_key}":
            self.answer(401, {"error": "invalid API key"})
        else:
            serve()

    def complete(self) -> None:
        with LOCK:
            COUNT["completions"] += 1
            done = COUNT["completions"] - 1
        if OPTIONS.crash_after is not None and done >= OPTIONS.crash_after:
            os._exit(7)
        if OPTIONS.health_lies or (OPTIONS.hang_after is not None and done >= OPTIONS.hang_after):
            COUNT["hanging"] += 1
            hang()
        if OPTIONS.reject:
            self.answer(OPTIONS.reject, {"error": "this server has its reasons"})
            return
        text = {"text": "x", "message": {"content": "x"}, "finish_reason": "length", "index": 0}
        self.answer(200, {"choices": [text], "usage": {"completion_tokens": 1}})

    def answer(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_arguments: object) -> None:
        pass


def note(line: str) -> None:
    if OPTIONS.times:
        with Path(OPTIONS.times).open("a", encoding="utf-8") as times:
            times.write(line + "\n")


def hang() -> None:
    while True:
        time.sleep(60)


def daemonise_worker() -> None:
    """A worker whose parent died, in a session of its own."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            hang()
        os._exit(0)
    os.wait()


def end_later() -> None:
    time.sleep(OPTIONS.exit_after)
    if OPTIONS.die_by:
        os.kill(os.getpid(), OPTIONS.die_by)
        time.sleep(60)
    os._exit(OPTIONS.exit_code or 0)


def serve() -> None:
    note(f"healthy {BEGAN + OPTIONS.load_seconds}")
    time.sleep(OPTIONS.bind_after)
    if OPTIONS.never_bind:
        hang()
    Server((OPTIONS.host, OPTIONS.port), Handler).serve_forever()


def main() -> None:
    if OPTIONS.ignore_sigterm:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print(OPTIONS.print or f"fake server {os.getpid()}", flush=True)
    for _ in range(OPTIONS.huge_log):
        sys.stdout.write("y" * 1023 + "\n" + ("y" * 1023 + "\n") * 1023)
    if OPTIONS.binary_log:
        sys.stdout.flush()
        os.write(1, b"caf\xe9 \xff\xfe\x00 nonsense\n")
    for _ in range(OPTIONS.fork_workers):
        if os.fork() == 0:
            hang()
    if OPTIONS.daemonise_worker:
        daemonise_worker()
    if OPTIONS.exit_code is not None or OPTIONS.die_by:
        threading.Thread(target=end_later, daemon=True).start()
    if OPTIONS.worker_listens and os.fork() != 0:
        hang()
    serve()


main()
