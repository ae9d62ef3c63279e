"""Write a results folder of many made-up runs quickly, as finished runs leave theirs.

    python -m tests.benchmarks.made_runs FOLDER --runs 1000 --samples 1000

The models, their servers and what they solved come from a fixed seed. All files of a run are there except its logs.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import math
import os
import random
from collections import Counter
from pathlib import Path

from results.json_text import encode
from results.prompts.sent_prompts import sent_prompt
from results.records import (
    Metric,
    ModelIdentity,
    Outcome,
    Phases,
    Results,
    RunRecord,
    RunStatus,
    Score,
    ServerFacts,
    encode_record,
)
from results.stats.intervals import wilson_interval
from results.telemetry import TelemetrySummary
from tests.results.conftest import a_record

BEGAN = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)
QUANTIZATIONS = ("Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "F16")
CARDS = ("NVIDIA RTX A6000", "NVIDIA GeForce RTX 4090")
DIFFICULTIES = ("easy", "medium", "hard", "extreme")
_FAILURES = (Outcome.FAILED,) * 12 + (Outcome.TRUNCATED, Outcome.NO_ANSWER)
_CODE = """    total = 0
    for value in values:
        if value > limit:
            total += value
    return total
"""


def made_runs(
    results_dir: Path,
    *,
    runs: int,
    samples: int,
    benchmarks: tuple[str, ...] = ("human_eval",),
    answer_bytes: int = 800,
    seed: int = 0,
) -> list[str]:
    """Write them, oldest first; returns their ids. answer_bytes: about, of each completion's texts together."""
    results_dir.mkdir(parents=True, exist_ok=True)
    drawn = random.Random(seed)
    tasks = {name: _tasks(name, samples, answer_bytes) for name in benchmarks}
    ids = []
    for number in range(runs):
        benchmark = benchmarks[number % len(benchmarks)]
        ids.append(_made_run(results_dir, number, benchmark, tasks[benchmark], drawn))
    return ids


class _Task:
    """difficulty: 0 to 1. head, tail: of its line, before and after what differs from run to run."""

    def __init__(self, benchmark: str, number: int, samples: int, answer_bytes: int) -> None:
        self.task_id = f"{_NAMES.get(benchmark, benchmark)}/{number}"
        self.difficulty = (number * 7919 % samples) / samples
        self.tags = {"difficulty": DIFFICULTIES[int(4 * self.difficulty)]}
        self.prompt = sent_prompt(self.task_id, f"def solve_{number}(values, limit):\n    '''Sum them.'''\n")
        code = (_CODE * (1 + answer_bytes // 2 // len(_CODE)))[: answer_bytes // 2]
        texts = encode({"completion": code, "answer": f"```python\n{code}\n```"})
        self.head = b'{"task_id":"%b",' % self.task_id.encode() + texts[1:-1] + b',"outcome":"'
        self.tail = encode({"tags": self.tags, "prompt_sha256": self.prompt.sha256})[1:] + b"\n"


_NAMES = {"human_eval": "HumanEval", "mbpp": "MBPP"}


def _tasks(benchmark: str, samples: int, answer_bytes: int) -> list[_Task]:
    return [_Task(benchmark, number, samples, answer_bytes) for number in range(samples)]


def _made_run(
    results_dir: Path, number: int, benchmark: str, tasks: list[_Task], drawn: random.Random
) -> str:
    family, quantization = f"Made-{1 + number % 40}B", QUANTIZATIONS[number // 40 % 5]
    model = f"{family}-Instruct-{quantization}"
    began = BEGAN + dt.timedelta(minutes=number * 17)
    run_id = f"{began:%Y%m%dT%H%M%SZ}-{benchmark}-{model}-{number:04x}"
    skill = 0.2 + 0.6 * (number % 40) / 40 + 0.02 * QUANTIZATIONS.index(quantization) + drawn.gauss(0, 0.02)
    outcomes: Counter[str] = Counter({str(outcome): 0 for outcome in Outcome})
    lines = []
    tokens = 0
    seconds = 0.0
    for task in tasks:
        solves = 1 / (1 + math.exp(10 * (task.difficulty - skill)))
        outcome = Outcome.PASSED if drawn.random() < solves else drawn.choice(_FAILURES)
        written = drawn.randrange(80, 400)
        took = written * 250 // 10  # ten-thousandths of a second
        outcomes[str(outcome)] += 1
        tokens += written
        seconds += took / 10_000
        detail = b'","detail":"AssertionError: got 3, not 4' if outcome is Outcome.FAILED else b""
        passed = b'","passed":true' if outcome is Outcome.PASSED else b'"'
        lines.append(
            b'%b%b%b%b,"prompt_tokens":%d,"completion_tokens":%d,"request_s":%d.%04d,%b'
            % (task.head, outcome.encode(), detail, passed, 150, written, took // 10_000, took % 10_000, task.tail)
        )  # fmt: skip
    folder = results_dir / run_id
    folder.mkdir()
    (folder / "completions.jsonl").write_bytes(b"".join(lines))
    prompts = results_dir / f".prompts-{benchmark}-{len(tasks)}.jsonl"
    if not prompts.exists():
        prompts.write_bytes(b"".join(encode(task.prompt) + b"\n" for task in tasks))
    os.link(prompts, folder / "prompts.jsonl")
    (folder / "settings.json").write_text(json.dumps(_settings(benchmark)))
    record = _record(
        run_id=run_id,
        began=began,
        benchmark=benchmark,
        model=model,
        quantization=quantization,
        number=number,
        outcomes=dict(outcomes),
        tokens=tokens,
        seconds=seconds,
        samples=len(tasks),
    )
    (folder / "run.json").write_bytes(encode_record(record) + b"\n")
    return run_id


def _settings(benchmark: str) -> dict[str, object]:
    return {
        "schema_version": 1, "benchmark": benchmark, "prompt_style": "chat", "prompts_sha256": "91" * 32,
        "temperature": 0.0, "n_samples": 1, "options": {},
    }  # fmt: skip


def _record(
    *,
    run_id: str,
    began: dt.datetime,
    benchmark: str,
    model: str,
    quantization: str,
    number: int,
    outcomes: dict[str, int],
    tokens: int,
    seconds: float,
    samples: int,
) -> RunRecord:
    passed = outcomes[str(Outcome.PASSED)]
    low, high = wilson_interval(passed, samples)
    config = {
        "model": f"/models/{model}.gguf", "path": f"/models/{model}.gguf", "gpu_layers": 80, "parallel": 4,
        "ctx_size": 4096 * (1 + number // 200), "server": "llama.cpp", "script": "scripts.run_human_eval",
        "parser": "human_eval", "temperature": 0.0, "n_samples": 1, "options": {},
    }  # fmt: skip
    return a_record(
        run_id=run_id,
        timestamp=began.isoformat(),
        status=RunStatus.SUCCEEDED,
        benchmark=benchmark,
        model=model,
        config=config,
        results=Results(score=100 * passed / samples, time_taken=seconds / 4, raw_output="summary\n" * 100),
        score=Score(
            score=100 * passed / samples,
            metrics={"pass@1": Metric(value=passed / samples, stderr=0.01, low=low, high=high)},
            samples=samples,
            completions=samples,
            outcomes=outcomes,
            score_answered=100 * passed / samples,
            prompt_tokens=150 * samples,
            completion_tokens=tokens,
            generate_s=seconds / 4,
            execute_s=samples * 0.02,
        ),
        phases=Phases(
            load_s=2.5, script_s=seconds / 4 + 3, generate_s=seconds / 4, execute_s=1.0, stop_s=0.2
        ),
        model_identity=ModelIdentity(
            name=model, path=f"/models/{model}.gguf", sha256=f"{number % 200:064x}", quantization=quantization
        ),
        server=ServerFacts(
            kind="llama.cpp", effective={"build": f"b{6000 + number // 100}", "ctx_size": 4096}
        ),
        host={"hostname": "made", "processor": "made", "gpus": [{"name": CARDS[number % 2], "driver": "1"}]},
        telemetry=TelemetrySummary(
            energy_j=seconds * 60,
            joules_per_solved=seconds * 60 / max(1, passed),
            peak_memory_bytes=(4 + number % 40) << 30,
        ),
    )


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("folder", type=Path)
    asked.add_argument("--runs", type=int, default=1000)
    asked.add_argument("--samples", type=int, default=1000)
    asked.add_argument("--benchmark", action="append", dest="benchmarks")
    given = asked.parse_args()
    made_runs(
        given.folder,
        runs=given.runs,
        samples=given.samples,
        benchmarks=tuple(given.benchmarks or ("human_eval",)),
    )


if __name__ == "__main__":
    main()
