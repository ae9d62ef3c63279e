"""What a sweep costs over its generation: four quantisations of the demo model, two settings each, against starting
each server once and sending it the same requests from a bare client.

The sum of that is the floor; server starts and stops are on both sides. Ours besides executes every answer, measures,
records and logs.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from servers import demo_model
from servers.launch import plan
from servers.models import resolve
from servers.request import ServerRequest
from servers.supervisor import launch
from tests.benchmarks.programs import BENCH_RUNNER, ROOT
from tests.benchmarks.rows import Row, compare
from tests.benchmarks.timing import interleaved, timed

REPEATS = 3
BOUND = 1.10
SAMPLES = 40
MAX_TOKENS = (64, 96)
PARALLEL = 4
THREADS = 1
QUANTISATIONS = ("Q2_K", "Q3_K_M", "Q4_K_M", "Q8_0")


def quantised(folder: Path) -> list[Path]:
    """The demo model's other quantisations, by the real llama-quantize; none where that was not built."""
    program = next((ROOT / ".llama-server").rglob("llama-quantize"), None)
    if program is None:
        return []
    made = []
    for kind in QUANTISATIONS:
        path = folder / f"demo-{kind}.gguf"
        command = [program, "--allow-requantize", demo_model.fetch(), path, kind, "1"]
        subprocess.run(command, check=True, capture_output=True)
        made.append(path)
    return made


def ours(models: list[Path]) -> float:
    with tempfile.TemporaryDirectory(prefix="bench-sweep-") as results:
        words = [BENCH_RUNNER, "sweep", *models, "--benchmark", "human_eval", "--prompt-style", "chat"]
        words += ["--limit", SAMPLES, "--max-tokens", ",".join(map(str, MAX_TOKENS)), "--parallel", PARALLEL]
        words += ["--server-arg=-t", f"--server-arg={THREADS}", "--results-dir", results]
        seconds, _ = timed(list(map(str, words)))
        return seconds


def floor(models: list[Path]) -> float:
    began = time.perf_counter()
    for model in models:
        request = ServerRequest(model=resolve(str(model)), parallel=PARALLEL, extra_args=("-t", str(THREADS)))
        planned = plan(request, nonce="bench")
        with (
            tempfile.TemporaryDirectory(prefix="bench-floor-") as folder,
            launch(planned, log_path=Path(folder) / "server.log", ready_timeout_s=60),
        ):
            for max_tokens in MAX_TOKENS:
                command = [
                    sys.executable,
                    "-m",
                    "tests.benchmarks.bare_client",
                    "--base-url",
                    planned.base_url.url,
                ]
                command += ["--model", planned.model_name or "", "--limit", str(SAMPLES)]
                command += ["--max-tokens", str(max_tokens), "--concurrency", str(PARALLEL)]
                timed(command, cwd=ROOT)
    return time.perf_counter() - began


def measure(repeats: int = REPEATS) -> list[Row]:
    name = "sweep: wall time over the sum of its generation"
    with tempfile.TemporaryDirectory(prefix="bench-models-") as folder:
        models = quantised(Path(folder))
        if not models:
            return [Row(name, None, "s", BOUND, "needs llama-quantize: `make test-servers` builds it")]
        found = interleaved(repeats, {"ours": lambda: ours(models), "floor": lambda: floor(models)})
    runs = len(models) * len(MAX_TOKENS)
    note = f"{runs} runs on {len(models)} servers, {SAMPLES} problems each, {PARALLEL} at once"
    return [compare(name, found["ours"], found["floor"], bound=BOUND, note=note)]
