"""100 tasks by 5 models: what a sweep of a config.yaml costs where models cost nothing, without scoring and with it.

Each model is a server that answers at once: all with the canonical solutions of HumanEval, so that each answer passes
and is scored in every part. Ours is the whole command, with sandboxed execution, records and the leaderboard.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.programs import BENCH_RUNNER, PROGRAMS
from tests.benchmarks.rows import Row
from tests.benchmarks.timing import Failed, interleaved, timed

if TYPE_CHECKING:
    from collections.abc import Iterator

REPEATS = 3
BOUND_S = 60.0
TASKS = 100
MODELS = 5
# Speed says nothing of such servers. Efficiency executes each solution and its reference again, several times.
WAYS: dict[str, dict[str, float]] = {
    "without scoring": {},
    "with correctness and quality": {"correctness": 0.6, "quality": 0.4},
    "with efficiency too": {"correctness": 0.4, "quality": 0.35, "efficiency": 0.25},
}


@contextlib.contextmanager
def servers() -> Iterator[list[tuple[str, str]]]:
    """The name and address of each model's server."""
    with contextlib.ExitStack() as stack:
        found = []
        for number in range(MODELS):
            name = f"model-{number}"
            command = [sys.executable, str(PROGRAMS / "canonical_server.py"), "--name", name]
            server = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            stack.callback(server.kill)
            assert server.stdout is not None
            found.append((name, f"http://127.0.0.1:{json.loads(server.stdout.readline())['port']}"))
        yield found


def sweep(there: list[tuple[str, str]], weights: dict[str, float]) -> float:
    """Seconds of the whole command. Raises Failed unless every run solved everything, and was scored if asked."""
    models = [{"name": name, "provider": "local", "endpoint": url, "limit": TASKS} for name, url in there]
    config = {"benchmark": "human_eval", "models": models}
    with tempfile.TemporaryDirectory(prefix="bench-models-") as folder:
        file = Path(folder) / "config.json"
        file.write_text(json.dumps({**config, **({"scoring": {"weights": weights}} if weights else {})}))
        results = Path(folder) / "results"
        seconds, _ = timed([BENCH_RUNNER, "sweep", str(file), "--results-dir", str(results)])
        records = [json.loads(each.read_bytes()) for each in results.glob("*/run.json")]
        solved = [record["results"]["score"] for record in records]
        if solved != [100.0] * MODELS:
            raise Failed(f"{MODELS} runs of canonical solutions score {solved}")
        if weights and not all((record.get("composite") or {}).get("composite") for record in records):
            raise Failed("a run has no composite")
    return seconds


def measure(repeats: int = REPEATS) -> list[Row]:
    with servers() as there:
        found = interleaved(repeats, {name: partial(sweep, there, weights) for name, weights in WAYS.items()})
    return [
        Row(
            f"{TASKS} tasks by {MODELS} models, {name}",
            statistics.median(seconds),
            "s",
            BOUND_S,
            f"zero-latency servers; {len(seconds)} repeats, {min(seconds):.3g} to {max(seconds):.3g} s",
        )
        for name, seconds in found.items()
    ]
