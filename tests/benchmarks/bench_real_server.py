"""What our machinery adds on a real server: 40 problems on llama.cpp with the demo model, over a bare client that sends
the same requests at the same concurrency and executes nothing.

The server runs all the while and has seen every prompt before, so that its prompt cache is as warm for both.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from servers import demo_model
from servers.launch import plan
from servers.models import resolve
from servers.request import ServerRequest
from servers.supervisor import launch
from tests.benchmarks.programs import BENCH_RUNNER, ROOT
from tests.benchmarks.rows import Row, compare
from tests.benchmarks.timing import COMMAND_S, Failed, interleaved, timed

REPEATS = 5
BOUND = 1.03
SAMPLES = 40
MAX_TOKENS = 64
PARALLEL = 4
THREADS = 1  # steadier than two on two processors, and one is left for whoever asks


@dataclass(frozen=True)
class Run:
    """whole_s: from the process's start to its end; working_s: first request to last answer or verdict."""

    whole_s: float
    working_s: float
    completion_tokens: int


def ours(url: str) -> Run:
    with tempfile.TemporaryDirectory(prefix="bench-real-") as results:
        command = [
            BENCH_RUNNER,
            "run",
            "--benchmark",
            "human_eval",
            "--base-url",
            url,
            "--prompt-style",
            "chat",
        ]
        command += ["--limit", str(SAMPLES), "--max-tokens", str(MAX_TOKENS), "--parallel", str(PARALLEL)]
        began = time.perf_counter()
        with subprocess.Popen(
            [*command, "--seed", "0", "--results-dir", results, "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            first = first_request(Path(results), process)
            output, _ = process.communicate(timeout=COMMAND_S)
        whole_s = time.perf_counter() - began
        if process.returncode:
            raise Failed(f"run ended with {process.returncode}: {output[-500:].decode()}")
        journal = next(Path(results).glob("*/completions.jsonl"))
        last = journal.stat().st_mtime_ns / 1e9  # the last verdict, on disk
        return Run(whole_s, last - first, json.loads(output)["score"]["completion_tokens"])


def first_request(results: Path, process: subprocess.Popen[bytes]) -> float:
    """When the script begins to ask, by its own word; seen within 10 ms."""
    while process.poll() is None:
        for said in results.glob("*/script.out"):
            if b'"phase":"generate"' in said.read_bytes():
                return time.time()
        time.sleep(0.01)
    raise Failed("run ended before it asked anything")


def bare_client(url: str, model: str) -> Run:
    command = [sys.executable, "-m", "tests.benchmarks.bare_client", "--base-url", url, "--model", model]
    command += ["--limit", str(SAMPLES), "--max-tokens", str(MAX_TOKENS), "--concurrency", str(PARALLEL)]
    whole_s, output = timed(command, cwd=ROOT)
    told = json.loads(output)
    return Run(whole_s, told["seconds"], told["completion_tokens"])


def measure(repeats: int = REPEATS) -> list[Row]:
    request = ServerRequest(
        model=resolve(str(demo_model.fetch())), parallel=PARALLEL, extra_args=("-t", str(THREADS))
    )
    planned = plan(request, nonce="bench")
    with (
        tempfile.TemporaryDirectory(prefix="bench-real-") as folder,
        launch(planned, log_path=Path(folder) / "server.log", ready_timeout_s=60),
    ):
        url, model = planned.base_url.url, planned.model_name or ""
        bare_client(url, model)  # warms the prompt cache
        found = interleaved(
            repeats, {"ours": lambda: ours(url), "bare client": lambda: bare_client(url, model)}
        )
    mine, floor = found["ours"], found["bare client"]
    tokens = [statistics.median(run.completion_tokens for run in runs) for runs in (mine, floor)]
    what = f"{SAMPLES} problems, {PARALLEL} at once, {tokens[0]:.0f} and {tokens[1]:.0f} tokens"
    return [
        compare(
            "real server: first request to last verdict",
            [run.working_s for run in mine],
            [run.working_s for run in floor],
            bound=BOUND,
            note=what,
        ),
        compare(
            "real server: whole commands",
            [run.whole_s for run in mine],
            [run.whole_s for run in floor],
            note="both from process start to end: with imports, sandbox, record and log",
        ),
    ]
