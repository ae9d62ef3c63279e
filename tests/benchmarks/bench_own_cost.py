"""What the machinery costs where the model costs nothing: all of HumanEval on a server that answers at once.

Ours is the whole command, from the process's start to the record in the run log, with sandboxed execution. The peers
do the same on the same server, without a sandbox; the floor is a client that executes nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks import peers
from tests.benchmarks.programs import BENCH_RUNNER, ROOT, canonical_server, human_eval_jsonl
from tests.benchmarks.rows import Row, compare
from tests.benchmarks.timing import Failed, interleaved, timed

if TYPE_CHECKING:
    from collections.abc import Callable

REPEATS = 5
GGUF_BOUND = 0.3
INSPECT_BOUND = 0.11


def ours(url: str, folder: Path) -> float:
    with tempfile.TemporaryDirectory(dir=folder) as results:
        command = [BENCH_RUNNER, "run", "--benchmark", "human_eval", "--base-url", url]
        seconds, output = timed([*command, "--results-dir", results, "--json"])
    require_all_passed("bench_runner.py", json.loads(output)["results"]["score"])
    return seconds


def gguf_humaneval(url: str, folder: Path) -> float:
    model = folder / "any.gguf"
    model.touch()  # only its presence is looked at
    data = str(human_eval_jsonl(folder))
    command = [str(peers.GGUF_HUMANEVAL.command), "--server-url", url, "--model", str(model)]
    seconds, _ = timed([*command, "--humaneval-jsonl", data], cwd=folder)
    written = max(folder.glob("results_llamacpp_*.json"), key=lambda path: path.stat().st_mtime_ns)
    require_all_passed("gguf-humaneval-benchmark", json.loads(written.read_text())["benchmark"]["accuracy"])
    return seconds


def inspect_ai(url: str, folder: Path) -> float:
    environment = {
        **os.environ,
        "PATH": f"{peers.INSPECT.command.parent}:{os.environ['PATH']}",  # its local sandbox runs `python`
        "BENCH_BASE_URL": f"{url}/v1",
        "BENCH_API_KEY": "none",
    }
    task = Path(__file__).with_name("inspect_human_eval.py")
    shutil.copy(task, folder)  # it takes relative paths only
    command = [str(peers.INSPECT.command), "eval", task.name, "--model", "openai-api/bench/canonical"]
    command += ["-T", f"data={human_eval_jsonl(folder)}", "--display", "plain", "--log-dir", str(folder)]
    seconds, output = timed(command, env=environment, cwd=folder)
    accuracy = next((line.split()[1] for line in output.splitlines() if line.startswith("accuracy ")), "0")
    require_all_passed("inspect-ai", 100 * float(accuracy))
    return seconds


def bare_client(url: str, _folder: Path) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.bare_client", "--base-url", url]
    return timed(command, cwd=ROOT)[0]


def require_all_passed(who: str, score: float | None) -> None:
    """Whoever skips work is fast."""
    if score != 100:
        raise Failed(f"{who} scores {score} on the canonical solutions")


def measure(repeats: int = REPEATS) -> list[Row]:
    measures: dict[str, Callable[[str, Path], float]] = {"ours": ours, "bare client": bare_client}
    references = (
        (peers.GGUF_HUMANEVAL, gguf_humaneval, GGUF_BOUND, "theirs is serial, without a sandbox"),
        (peers.INSPECT, inspect_ai, INSPECT_BOUND, "theirs is with sandbox=local, which is none"),
    )
    measures |= {peer.name: run for peer, run, _, _ in references if peer.installed}
    with tempfile.TemporaryDirectory(prefix="bench-own-cost-") as name, canonical_server() as url:
        folder = Path(name)
        found = interleaved(repeats, {who: lambda run=run: run(url, folder) for who, run in measures.items()})
    rows = []
    for peer, _, bound, note in references:
        title = f"own cost / {peer.name}"
        if peer.name in found:
            rows.append(compare(title, found["ours"], found[peer.name], bound=bound, note=note))
        else:
            rows.append(Row(title, None, "s", bound, peer.how))
    floor = compare("own cost / bare client", found["ours"], found["bare client"], note="executes nothing")
    return [*rows, floor]
