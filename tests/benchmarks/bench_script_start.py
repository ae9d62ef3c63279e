"""How long a script takes from its start to its first request for an answer, over what its HTTP client takes to import.

The sandbox is opened meanwhile, and tested while the model answers.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from tests.benchmarks.programs import ROOT
from tests.benchmarks.rows import Row, compare
from tests.benchmarks.timing import Failed, interleaved, timed

if TYPE_CHECKING:
    from collections.abc import Iterator

REPEATS = 15
BOUND_S = 0.3  # on a quiet machine
BOUND = 1.5


class FirstQuestion(ThreadingHTTPServer):
    """Notes when it is first asked for an answer, and refuses it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[float] = []


class _Handler(BaseHTTPRequestHandler):
    server: FirstQuestion
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._reply(200)

    def do_POST(self) -> None:
        self.server.asked.append(time.perf_counter())
        self.rfile.read(int(self.headers["Content-Length"]))
        self._reply(401)

    def _reply(self, status: int) -> None:
        body = json.dumps({"status": "ok"}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def first_question(server: FirstQuestion) -> float:
    """Seconds from the script's start."""
    server.asked.clear()
    with tempfile.TemporaryDirectory(prefix="bench-start-") as output:
        command = [sys.executable, "-m", "scripts.run_human_eval", "--output", output, "--model", "any"]
        command += ["--base-url", f"http://127.0.0.1:{server.server_address[1]}", "--prompt-style", "chat"]
        began = time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if not server.asked:
        raise Failed(f"it asked nothing: {done.stderr.strip()[-500:]}")
    return server.asked[0] - began


def measure(repeats: int = REPEATS) -> Iterator[Row]:
    with FirstQuestion() as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            found = interleaved(
                repeats,
                {
                    "script start": lambda: first_question(server),
                    "import aiohttp": lambda: timed([sys.executable, "-c", "import aiohttp, msgspec"])[0],
                    "python -c pass": lambda: timed([sys.executable, "-c", "pass"])[0],
                },
            )
        finally:
            server.shutdown()
            serving.join()
    ours = found["script start"]
    yield Row(
        "script start", statistics.median(ours), "s", BOUND_S, f"to the first question; {repeats} repeats"
    )
    yield compare("script start / import aiohttp", ours, found["import aiohttp"], bound=BOUND)
    yield compare("script start / python -c pass", ours, found["python -c pass"])
