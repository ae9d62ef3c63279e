"""Sweeps for a browser to look at: ordinary ones, and those that are hard on a page's layout."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from results.records import Completion, ErrorRecord, ModelIdentity, Outcome, RunStatus, ServerFacts
from results.telemetry import TelemetrySummary
from tests.results.composite_runs import composite
from tests.results.recorded_runs import F, P, begin_sweep, place, record_run

if TYPE_CHECKING:
    from pathlib import Path

    from results.store.sweep_folder import SweepFolder

CUT, EMPTY = Outcome.TRUNCATED, Outcome.NO_ANSWER
HOST = {
    "hostname": "wks-07",
    "processor": "AMD Ryzen 9 7950X 16-Core Processor",
    "cores": 16,
    "gpus": [{"name": "NVIDIA GeForce RTX 4090", "driver": "570.86.10"}],
}
EVIL = '"><script>alert(1)</script><img src=http://evil.example/x> $x^2$ & a very long hostile name'
LONG = "DeepSeek-Coder-V2-Lite-Instruct-0724-abliterated-finetuned-for-python"
CODE = """    best = None
    for number in numbers:
        if best is None or number {relation} best:
            best = number  # the {relation} one, in a line that goes on so that a narrow screen can't show it
    return {result}
"""
WHY = {
    P: "",
    F: "AssertionError: candidate([1, 2, 3]) == 3",
    CUT: "cut by the limit of 512 tokens",
    EMPTY: "no code in the answer",
}


class Made(NamedTuple):
    """share: of the problems that it solves."""

    model: str
    quantization: str
    share: float
    memory_gib: float
    tokens_per_s: float
    joules: float | None


QUANTS = [
    Made(f"Qwen2.5-Coder-7B-Instruct-{name}", name, share, memory, speed, joules)
    for name, share, memory, speed, joules in (
        ("Q2_K", 0.55, 3.3, 120.0, 636.5),
        ("Q3_K_M", 0.66, 4.1, 110.0, 610.0),
        ("IQ4_XS", 0.70, 4.6, 107.0, 600.0),
        ("Q4_0", 0.71, 4.8, 108.0, 590.0),
        ("Q4_K_M", 0.735, 5.1, 105.0, 580.8),
        ("Q5_K_M", 0.745, 5.9, 92.0, 690.0),
        ("Q6_K", 0.75, 6.6, 84.0, 760.0),
        ("Q8_0", 0.755, 8.2, 71.0, 855.5),
    )
]
HARD = [
    Made(f"{LONG}-Q4_K_M", "Q4_K_M", 0.745, 10.4, 130.0, 420.0),
    Made(f"{LONG}-Q6_K", "Q6_K", 0.745, 14.1, 1.2e9, 460.0),
    Made("Meta-Llama-3.1-8B-Instruct-Q4_K_M", "Q4_K_M", 0.6, 5.6, 98.0, 3.1e15),
    Made("Meta-Llama-3.1-8B-Instruct-Q8_0", "Q8_0", 0.62, 9.1, 66.0, 990.0),
    Made("codegemma-7b-it", "", 0.5, 9.1, 66.0, 990.0),
    Made(EVIL, "Q4_0", 0.55, 5.0, 70.0, 900.0),
    Made("日本語モデル-13B-Q5_K_M", "Q5_K_M", 0.7, 12.0, 0.001, 0.5),
]
ALIKE = [
    Made(f"Tie-1B-{name}", name, 0.5, 2.0 + n / 100, 50.0, 9.0) for n, name in enumerate(("Q4_0", "Q4_1"))
]


def made_sweep(results: Path, models: list[Made], *, problems: int, failed: bool = False) -> SweepFolder:
    """A finished sweep; with a failed run and one that did not start."""
    others = ["Broken-7B-Q4_0 human_eval", "Late-13B-Q8_0 human_eval"] if failed else []
    sweep = begin_sweep(results, [*(f"{each.model} human_eval" for each in models), *others])
    chance = random.Random(7)
    hard = [chance.random() for _ in range(problems)]
    for number, each in enumerate(models):
        outcomes = [_outcome(each.share, difficulty, chance) for difficulty in hard]
        run = record_run(
            results,
            outcomes,
            model=each.model,
            sweep=place(sweep, f"{each.model} human_eval"),
            telemetry=TelemetrySummary(
                peak_memory_bytes=int(each.memory_gib * 2**30),
                joules_per_solved=each.joules,
                used=("GPU-1",),
                not_comparable=("hot: throttled 12 % of the time",) if each.tokens_per_s == 66.0 else (),
            ),
            details={"tokens_per_s": each.tokens_per_s},
            composite=composite(
                100 * each.share, None if number == 1 else 55.0, by_difficulty=True, target_s=2.0
            )
            if models is QUANTS and number < 5
            else None,
            host=HOST,
            harness={"version": "0.1.0", "commit": "89a18af0c3"},
            config={"path": f"/m/{each.model}.gguf", "gpu_layers": 80, "temperature": 0.0},
            server=ServerFacts(kind="llama.cpp", effective={"build": "b6710", "slots": number % 2}),
            model_identity=ModelIdentity(
                name=each.model,
                quantization=each.quantization or None,
                size_bytes=int(each.memory_gib * 0.8 * 2**30),
                sha256=f"{number + 1:064x}",
            ),
        )
        lines = [_completion(task, outcome, number) for task, outcome in enumerate(outcomes)]
        run.completions.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
        run.telemetry.write_bytes(b"".join(msgspec.json.encode(tick) + b"\n" for tick in _ticks(each)))
    if failed:
        error = ErrorRecord(
            kind="server",
            message="llama-server exited with code 1 before it was ready: out of GPU memory",
            hint="fewer --gpu-layers, or a smaller --ctx-size",
            log_tail=f"ggml_cuda: cudaMalloc failed: out of memory\n{EVIL}",
        )
        record_run(results, model="Broken-7B-Q4_0", status=RunStatus.FAILED, score=None, error=error,
                   sweep=place(sweep, others[0]))  # fmt: skip
    return sweep


def _outcome(share: float, difficulty: float, chance: random.Random) -> Outcome:
    luck = difficulty if chance.random() < 0.85 else chance.random()
    if luck < share:
        return P
    return chance.choices([F, CUT, EMPTY], [20, 3, 1])[0]


def _completion(task: int, outcome: Outcome, run: int) -> Completion:
    relation, result = (">", "best") if outcome is P else ("<", f"best[{(task + run) % 3}]")
    code = "" if outcome is EMPTY else CODE.format(relation=relation, result=result)
    return Completion(
        task_id=f"HumanEval/{task}",
        outcome=outcome,
        passed=outcome is P,
        detail=WHY[outcome],
        completion=code,
        answer=f"Here it is:\n\n```python\n{code}```\nIt goes through <all> numbers. {EVIL}",
    )


def _ticks(each: Made) -> list[dict[str, object]]:
    ready = 9
    return [
        {
            "time_s": second / 2,
            "phase": "load" if second < ready else "generate",
            "devices": [
                {
                    "uuid": "GPU-1",
                    "power_w": 80 + 220 * (second >= ready) + second % 7,
                    "utilization": 0.1 + 0.8 * (second >= ready),
                    "memory_used_bytes": int(each.memory_gib * 2**30 * min(1, second / ready)),
                }
            ],
        }
        for second in range(120)
    ]


def as_json(found: object) -> str:
    """What was found, for a failed test's message."""
    return json.dumps(found, indent=1, ensure_ascii=False)
