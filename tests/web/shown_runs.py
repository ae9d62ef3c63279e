"""Runs that the pages show in tests: several models and quantisations, benchmarks with tags, a history of builds, runs
that failed, were interrupted or solved nothing, and texts that attack a page.
"""

from __future__ import annotations

import datetime as dt
import random
from typing import TYPE_CHECKING

import msgspec

from results.records import (
    Completion,
    ErrorRecord,
    Incident,
    Metric,
    ModelIdentity,
    Outcome,
    Phases,
    Remarks,
    RunStatus,
    ServerFacts,
)
from results.telemetry import DeviceUse, PhaseUse, TelemetrySummary
from tests.browser.made_sweeps import CODE, EVIL, HOST, QUANTS, WHY, Made
from tests.results.composite_runs import composite
from tests.results.recorded_runs import BEGAN, F, P, record_run

if TYPE_CHECKING:
    from pathlib import Path

    from results.scores.composite import CompositeScore
    from results.store.run_folder import RunFolder

CUT, EMPTY, LOST = Outcome.TRUNCATED, Outcome.NO_ANSWER, Outcome.INFRASTRUCTURE_ERROR
CONFIG = {"gpu_layers": 80, "temperature": 0.0, "ctx_size": 8192, "seed": 7}
URL = "http://127.0.0.1:41213"
DIFFICULTIES = ("easy", "medium", "hard")
OTHERS = [
    Made("Llama-3.1-8B-Instruct-Q4_K_M", "Q4_K_M", 0.58, 5.6, 98.0, 640.0),
    Made("Llama-3.1-8B-Instruct-Q8_0", "Q8_0", 0.60, 9.1, 66.0, 990.0),
    Made("gemma-3-4b-it-Q4_K_M", "Q4_K_M", 0.49, 3.1, 142.0, 410.0),
]
RESTART = Incident(
    time="2026-11-21T03:52:10+00:00",
    what="the server did not answer for 60 s and was restarted",
    log_tail="slot 0: decoding\nCUDA error: an illegal memory access was encountered",
)
BUILDS = ("b6510", "b6588", "b6622", "b6710", "b6755")


def shown_runs(results: Path, *, problems: int = 40, hostile: bool = True) -> dict[str, RunFolder]:
    """All of them, in `results`; some by a name that tests ask for."""
    chance = random.Random(11)
    hard = [chance.random() for _ in range(problems)]
    found: dict[str, RunFolder] = {}
    for number, each in enumerate([*QUANTS, *OTHERS]):
        found[each.model] = one_run(results, each, hard, number=number, composite=_composite(each, number))
    for number, each in enumerate(QUANTS[3:6]):
        one_run(results, each, hard[: problems // 2], benchmark="mbpp", number=number)
    for number, build in enumerate(BUILDS):
        each = QUANTS[4]._replace(
            model="Qwen2.5-Coder-1.5B-Instruct-Q4_K_M", share=0.5 - 0.16 * (number == 3)
        )
        when = BEGAN - dt.timedelta(days=7 * (len(BUILDS) - number))
        run = one_run(results, each, hard, number=20 + number, build=build, when=when,
                      remarks=Remarks(label="weekly" if number == 0 else ""))  # fmt: skip
        found["older" if number == 0 else f"build {build}"] = run
    found["incidents"] = one_run(
        results, OTHERS[0]._replace(model="Phi-4-mini-Q5_K_M", quantization="Q5_K_M", share=0.4), hard, number=30,
        incidents=(RESTART,),
    )  # fmt: skip
    found["nothing solved"] = record_run(
        results, [CUT] * problems, model="base-270m-Q4_K_M", host=HOST, config=CONFIG
    )
    error = ErrorRecord(
        kind="server",
        message="llama-server exited with code 1 before it was ready: out of GPU memory",
        hint="fewer --gpu-layers, or a smaller --ctx-size",
        log_tail="ggml_cuda: cudaMalloc failed: out of memory\nllama_model_load: error loading model",
    )
    found["failed"] = record_run(results, model="Mixtral-8x7B-Q5_K_M", status=RunStatus.FAILED, score=None, host=HOST,
                                 error=error, no_verdicts=True)  # fmt: skip
    found["interrupted"] = record_run(results, [P, F], model="Qwen2.5-Coder-7B-Instruct-F16", score=None, host=HOST,
                                      status=RunStatus.STARTED)  # fmt: skip
    found["speed"] = record_run(results, model="Qwen2.5-Coder-7B-Instruct-Q4_K_M", benchmark="speed", score=None,
                                no_verdicts=True, host=HOST)  # fmt: skip
    if hostile:
        evil = Made(EVIL, "Q4_0", 0.5, 5.0, 70.0, 900.0)
        found["hostile"] = one_run(
            results, evil, hard, number=40, composite=composite(speed=None, why_not=EVIL, own={EVIL: 3.0}),
            tags={f"<b>{EVIL}": "=1+1", "difficulty": "\u202eeasy"},
            remarks=Remarks(label="<i>label</i>\u202e", note=f"{EVIL}\n</script><script>alert(2)</script>"),
            incidents=(Incident(time="<u>now</u>", what=EVIL, log_tail=f"\x1b[31m{EVIL}"),),
        )  # fmt: skip
    return found


def one_run(
    results: Path,
    each: Made,
    hard: list[float],
    *,
    number: int,
    benchmark: str = "human_eval",
    build: str = "b6710",
    when: dt.datetime | None = None,
    tags: dict[str, str] | None = None,
    **record: object,
) -> RunFolder:
    """A run with answers, tags, telemetry and all that its page shows."""
    chance = random.Random(number)
    outcomes = [_outcome(each.share, difficulty, chance) for difficulty in hard]
    usd = 0.00031 * len(hard) if number == 9 else None
    facts = dict(record)
    if when is not None:
        facts["timestamp"] = when.isoformat()
    path = f"/models/{each.model}.gguf"
    prefix = "HumanEval" if benchmark == "human_eval" else "mbpp"
    run = record_run(
        results,
        outcomes,
        model=each.model,
        benchmark=benchmark,
        settings={"benchmark": benchmark, "prompts_sha256": "91" * 32 if benchmark == "human_eval" else "77" * 32},
        telemetry=_telemetry(each, len(hard)),
        details={"tokens_per_s": each.tokens_per_s},
        host=HOST,
        harness={"version": "0.9.0", "commit": "89a18af0c3", "python": "3.11.2"},
        config={"path": path, **CONFIG},
        phases=Phases(load_s=4.2, script_s=58.0, generate_s=51.5, execute_s=31.0, stop_s=0.8),
        script_command=("python", "-m", "scripts.run_human_eval", "--base-url", URL, "--model", each.model),
        server=ServerFacts(
            kind="llama.cpp",
            command=("llama-server", "--model", path, "--n-gpu-layers", "80", "--ctx-size", "8192"),
            url=URL,
            asked={"gpu_layers": 80, "ctx_size": 8192, "parallel": 4, "flash_attn": "on"},
            effective={"build": build, "gpu_layers": 33, "ctx_size": 8192, "parallel": 4, "flash_attn": "on"},
            differences=("asked for 80 layers on the GPU, the model has only 33",),
        ),
        model_identity=ModelIdentity(
            name=each.model, path=path, architecture="qwen2", quantization=each.quantization or None,
            size_bytes=int(each.memory_gib * 0.8 * 2**30), sha256=f"{1 + (20 if 20 <= number < 25 else number):064x}",
            parameter_count=7_615_616_512, context_length=32768, layer_count=28, chat_template_sha256="ab" * 32,
        ),
        **facts,
    )  # fmt: skip
    record_now = run.read_record()
    assert record_now.score is not None
    easy = {"pass@1 difficulty=easy": Metric(value=0.9, low=0.8, high=0.95)}
    score = msgspec.structs.replace(
        record_now.score,
        completion_tokens=180 * len(hard),
        prompt_tokens=210 * len(hard),
        generate_s=180 * len(hard) / each.tokens_per_s,
        cost_usd=usd,
        metrics={**record_now.score.metrics, **easy},
    )
    run.write_record(msgspec.structs.replace(record_now, score=score))
    lines = [
        _completion(f"{prefix}/{task}", outcome, chance, _tags(hard[task], chance, tags), usd)
        for task, outcome in enumerate(outcomes)
    ]
    run.completions.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    run.telemetry.write_bytes(b"".join(msgspec.json.encode(tick) + b"\n" for tick in _ticks(each)))
    run.server_log.write_text("main: server is listening on http://127.0.0.1:41213\nslot 0: released\n")
    run.script_log.write_text(f"{len(hard)} problems\n")
    return run


def _composite(each: Made, number: int) -> CompositeScore | None:
    """Of most runs; of one it is partial, and another one has other weights."""
    share = 100 * each.share
    if number == 2:
        return None
    if number == 3:
        return composite(share, None, share - 20, 91.5, by_difficulty=True)
    if number == 4:
        return composite(share, weights={"correctness": 0.6, "quality": 0.4}, by_difficulty=True)
    return composite(share + 2, 40 + number, share - 15, 70 + number, by_difficulty=True, target_s=2.5)


def _outcome(share: float, difficulty: float, chance: random.Random) -> Outcome:
    luck = difficulty if chance.random() < 0.85 else chance.random()
    if luck < share:
        return P
    return chance.choices([F, CUT, EMPTY, LOST], [30, 4, 1, 0.3])[0]


def _tags(difficulty: float, chance: random.Random, given: dict[str, str] | None) -> dict[str, str]:
    level = DIFFICULTIES[min(2, int(difficulty * 3))]
    return given or {"difficulty": level, "topic": chance.choice(["strings", "lists", "numbers"])}


def _completion(
    task_id: str, outcome: Outcome, chance: random.Random, tags: dict[str, str], usd: float | None
) -> Completion:
    relation, result = (">", "best") if outcome is P else ("<", f"best[{chance.randrange(3)}]")
    code = "" if outcome is EMPTY else CODE.format(relation=relation, result=result)
    return Completion(
        task_id=task_id,
        outcome=outcome,
        passed=outcome is P,
        detail=WHY.get(outcome, "the server closed the connection"),
        completion=code,
        answer=f"Here it is:\n\n```python\n{code}```\nIt goes through <all> numbers. {EVIL}",
        prompt_tokens=180 + chance.randrange(60),
        completion_tokens=90 + chance.randrange(200),
        request_s=0.8 + chance.random(),
        execute_s=0.2,
        tags=tags,
        cost_usd=0.00031 if usd else None,
    )


def _telemetry(each: Made, problems: int) -> TelemetrySummary:
    energy_j, peak = (each.joules or 0) * problems * 0.6, int(each.memory_gib * 2**30)
    device = DeviceUse(uuid="GPU-1", energy_j=energy_j, energy_source="counter", mean_power_w=280.0, peak_power_w=361.0,
                       peak_memory_bytes=peak, mean_utilization=0.86, peak_temperature_c=71.0)  # fmt: skip
    return TelemetrySummary(
        devices=({"uuid": "GPU-1", "name": "NVIDIA GeForce RTX 4090"},),
        used=("GPU-1",),
        phases={"generate": PhaseUse(seconds=51.5, devices=(device,), host_cpu_utilization=0.22)},
        energy_j=energy_j,
        idle_power_w=31.0,
        peak_memory_bytes=peak,
        peak_process_memory_bytes=1_340_000_000,
        joules_per_solved=each.joules,
        tokens_per_joule=0.42,
        ticks=120,
        not_comparable=("hot: throttled 12 % of the time",) if each.tokens_per_s == 66.0 else (),
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
                    "power_w": 80 + 220 * (second >= ready) + 23 * (second % 7),
                    "utilization": 0.1 + 0.8 * (second >= ready) - 0.03 * (second % 5),
                    "memory_used_bytes": int(each.memory_gib * 2**30 * min(1, second / ready)),
                }
            ],
            "processes": {"count": 1, "cpu_s": second * 0.9, "memory_bytes": 1_340_000_000},
        }
        for second in range(120)
    ]
