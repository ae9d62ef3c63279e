"""What the API of `serve` costs: leaderboards a second, and a hundred event streams of a job that runs."""

from __future__ import annotations

import http.client
import socket
import tempfile
import threading
import time
from pathlib import Path

from tests.benchmarks.api_app import AppProcess
from tests.benchmarks.made_runs import made_runs
from tests.benchmarks.rows import Row
from web.config import API_ROOT

RUNS, SAMPLES = 1000, 40
CLIENTS = 4
ASK_S = 5.0
STREAMS = 100
WATCH_S = 20.0
LEAST_A_SECOND = 200.0
MOST_OF_A_CORE = 10.0  # percent


def measure(repeats: int = 1) -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made_runs(folder / "results", runs=RUNS, samples=SAMPLES)
        with AppProcess(folder / "results", folder / "state") as server:
            asked, used_ms = max(_leaderboards_a_second(server) for _ in range(repeats))
            share = min(_streams(server) for _ in range(repeats))
    about = f"{RUNS} runs, {CLIENTS} clients"
    return [
        Row(
            "ms of one leaderboard of the API",
            1000 / asked,
            "ms",
            1000 / LEAST_A_SECOND,
            f"{asked:.0f} a second; {used_ms:.2f} ms of the server's processor time each; {about}",
        ),
        Row(f"{STREAMS} event streams", share, "% of a core", MOST_OF_A_CORE, f"over {WATCH_S:g} s"),
    ]


def _leaderboards_a_second(server: AppProcess) -> tuple[float, float]:
    """And the milliseconds of the server's processor time that each took: these hardly depend on who else is busy."""
    _ask(server, until=time.monotonic())  # fills what is kept
    until = time.monotonic() + ASK_S
    counts: list[int] = []
    clients = [
        threading.Thread(target=lambda: counts.append(_ask(server, until=until))) for _ in range(CLIENTS)
    ]
    began, before = time.monotonic(), server.processor_s()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    took, used = time.monotonic() - began, server.processor_s() - before
    return sum(counts) / took, 1000 * used / sum(counts)


def _ask(server: AppProcess, *, until: float) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    count = 0
    while True:
        connection.request("GET", f"{API_ROOT}/leaderboard?limit=20", headers=server.headers())
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        count += 1
        if time.monotonic() >= until:
            connection.close()
            return count


def _streams(server: AppProcess) -> float:
    text = (
        f"GET {API_ROOT}/jobs/{server.job_id}/events HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
        f"Authorization: Bearer {server.secret}\r\n\r\n"
    )
    opened = []
    try:
        for _ in range(STREAMS):
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=60)
            connection.sendall(text.encode())
            opened.append(connection)
        for connection in opened:
            found = b""
            while b"event: progress" not in found:
                part = connection.recv(1 << 16)
                assert part, found
                found += part
        before, began = server.processor_s(), time.monotonic()
        time.sleep(WATCH_S)
        return 100 * (server.processor_s() - before) / (time.monotonic() - began)
    finally:
        for connection in opened:
            connection.close()
