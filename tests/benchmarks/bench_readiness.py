"""How soon the first request follows the server's readiness: the time from /health turning 200 to the first request
of the benchmark, less what the script itself takes from its start to that request.
"""

from __future__ import annotations

import contextlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from servers.ports import free_port
from tests.benchmarks.programs import BENCH_RUNNER, PROGRAMS, ROOT
from tests.benchmarks.rows import Row
from tests.benchmarks.timing import Failed, interleaved, timed

if TYPE_CHECKING:
    from collections.abc import Iterator

REPEATS = 5
BOUND_MS = 50.0
LOAD_S = 2.0
FAKE_SERVER = str(PROGRAMS / "fake_server.py")
FIRST = "/v1/chat/completions"  # what the benchmark asks; the readiness check asks for a plain completion
ASKED = ("--prompt-style", "chat", "--limit", "1")


def first_request_after(times: Path, since: float | None = None) -> float:
    """Seconds from `since`, or from /health turning 200, to the benchmark's first request."""
    lines = [line.split() for line in times.read_text().splitlines()]
    if since is None:
        since = next(float(line[1]) for line in lines if line[0] == "healthy")
    for line in lines:
        if line[0] == "post" and line[2] == FIRST and float(line[1]) >= since:
            return float(line[1]) - since
    raise Failed("no request of the benchmark reached the server")


def after_readiness(folder: Path) -> float:
    """By `run`, which launches the server."""
    times = folder / "launched.times"
    times.unlink(missing_ok=True)
    server = f"{sys.executable} -I -S {FAKE_SERVER} --port {{port}} --load-seconds {LOAD_S} --times {times}"
    with tempfile.TemporaryDirectory(dir=folder) as results:
        command = [BENCH_RUNNER, "run", "--benchmark", "human_eval", *ASKED, "--server-command", server]
        timed([*command, "--results-dir", results])
    return first_request_after(times)


def after_start(folder: Path, port: int, times: Path) -> float:
    """By the script alone, on a server that is ready."""
    with tempfile.TemporaryDirectory(dir=folder) as output:
        command = [sys.executable, "-m", "scripts.run_human_eval", *ASKED, "--concurrency", "4"]
        command += ["--base-url", f"http://127.0.0.1:{port}", "--model", "fake", "--output", output]
        began = time.monotonic()
        timed(command, cwd=ROOT)
    return first_request_after(times, began)


@contextlib.contextmanager
def running_server(times: Path) -> Iterator[int]:
    """The port of a server that is ready."""
    port = free_port("127.0.0.1")
    command = [sys.executable, "-I", "-S", FAKE_SERVER, "--port", str(port), "--times", str(times)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            time.sleep(0.5)  # it listens within a fraction of that
            yield port
        finally:
            os.kill(server.pid, signal.SIGKILL)


def measure(repeats: int = REPEATS) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="bench-readiness-") as name:
        folder = Path(name)
        times = folder / "ready.times"
        with running_server(times) as port:
            found = interleaved(
                repeats,
                {
                    "readiness": lambda: 1000 * after_readiness(folder),
                    "script start": lambda: 1000 * after_start(folder, port, times),
                },
            )
    whole, start = found["readiness"], found["script start"]
    rest = [both - own for both, own in zip(whole, start, strict=True)]
    spread = f"{repeats} repeats, {min(rest):.0f} to {max(rest):.0f}"
    return [
        Row("readiness: /health 200 to first request", statistics.median(whole), "ms"),
        Row("readiness: start of the script alone", statistics.median(start), "ms"),
        Row("readiness: what we add", statistics.median(rest), "ms", BOUND_MS, spread),
    ]
