"""What measuring costs: processor time of the sampler, and generation with and without it, on a real server.

There need be no device: processes, the server's own metrics and the host are read as in a run. A device adds its
driver's calls; with one at hand they are in the figures.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from servers import demo_model
from servers.http_probe import request
from servers.launch import plan
from servers.metrics import read_metrics
from servers.models import resolve
from servers.request import ServerRequest
from servers.supervisor import Server, launch
from telemetry.measure import Telemetry
from tests.benchmarks.rows import Row, compare
from tests.benchmarks.timing import Failed, interleaved

if TYPE_CHECKING:
    from collections.abc import Iterator

    from results.telemetry import ServerReading

REPEATS = 9
CPU_BOUND = 0.01  # of a core
SLOWDOWN_BOUND = 1.01
CPU_WATCH_S = 10.0
TOKENS = 400


def telemetry_of(server: Server, path: Path) -> Telemetry:
    """As a run has it."""

    def metrics() -> ServerReading | None:
        answer = request(server.plan.base_url, "/metrics")
        return None if answer is None else read_metrics(answer.page())

    process = server.process
    return Telemetry(path, pids=process.tree if process else tuple, fetch_metrics=metrics)


def cpu_share(server: Server, folder: Path) -> float:
    """Of one core, that this program uses while it only measures; importing is over by then."""
    telemetry = telemetry_of(server, folder / "cpu.jsonl")
    telemetry.start()
    telemetry.phase("generate")
    time.sleep(1.5)
    before, began = time.process_time(), time.monotonic()
    time.sleep(CPU_WATCH_S)
    share = (time.process_time() - before) / (time.monotonic() - began)
    telemetry.stop()
    return share


def generate_s(server: Server) -> float:
    """A fixed number of tokens, greedy, from a prompt that is cached."""
    body = {"prompt": "Once upon a time", "n_predict": TOKENS, "temperature": 0, "ignore_eos": True}
    began = time.perf_counter()
    answer = request(server.plan.base_url, "/completion", body=body, timeout_s=300)
    if answer is None or answer.status != 200:
        raise Failed("the server gave no answer")
    return time.perf_counter() - began


def measured_generate_s(server: Server, folder: Path) -> float:
    telemetry = telemetry_of(server, folder / "slow.jsonl")
    telemetry.start()
    telemetry.phase("generate")
    try:
        return generate_s(server)
    finally:
        telemetry.stop()


def measure(repeats: int = REPEATS) -> Iterator[Row]:
    asked = ServerRequest(
        model=resolve(str(demo_model.fetch())), parallel=1, ctx_size=1024, extra_args=("-t", "1")
    )
    with (
        tempfile.TemporaryDirectory(prefix="bench-telemetry-") as name,
        launch(plan(asked, nonce="bench"), log_path=Path(name) / "server.log", ready_timeout_s=60) as server,
    ):
        folder = Path(name)
        generate_s(server)
        share = 100 * cpu_share(server, folder)
        watched = f"{CPU_WATCH_S:g} s at 10 Hz"
        yield Row("telemetry: processor", round(share, 3), "% of a core", 100 * CPU_BOUND, watched)
        found = interleaved(
            repeats,
            {
                "measured": lambda: measured_generate_s(server, folder),
                "not measured": lambda: generate_s(server),
            },
        )
    yield compare(
        "telemetry: generation, measured / not",
        found["measured"],
        found["not measured"],
        bound=SLOWDOWN_BOUND,
        note=f"{TOKENS} tokens a repeat",
    )
