"""A results folder from which every text is hostile."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from results.prompts.sent_prompts import Message, sent_prompt, write_prompts
from results.records import (
    Completion,
    ErrorRecord,
    Incident,
    Metric,
    ModelIdentity,
    Remarks,
    RunStatus,
    Score,
    ServerFacts,
)
from results.telemetry import TelemetrySummary
from tests.results.recorded_runs import F, P, begin_sweep, place, record_run

if TYPE_CHECKING:
    from pathlib import Path
from tests.hostile_text import EVIL, HONEST, LONG


def write_hostile_runs(folder: Path) -> None:
    """Runs and a sweep of them whose every text is hostile, and honest ones beside."""
    sweep = begin_sweep(folder, [f"{EVIL} {n}" for n in range(4)])
    told = {
        "server": ServerFacts(
            kind=EVIL, command=(EVIL,), url=EVIL, effective={EVIL: EVIL}, differences=(EVIL,)
        ),
        "incidents": (Incident(time=EVIL, what=EVIL, log_tail=EVIL),),
        "host": {"hostname": EVIL, "processor": EVIL, "gpus": [{"name": EVIL, "driver": EVIL}]},
        "harness": {"version": EVIL, "commit": EVIL},
        "telemetry": TelemetrySummary(
            not_comparable=(EVIL,),
            energy_doubts=(EVIL,),
            devices=({"uuid": EVIL, "index": EVIL, "name": EVIL},),
        ),
    }
    for number, outcomes in enumerate(([P] * 8, [F] * 8)):
        run = record_run(
            folder,
            outcomes,
            model=f"{EVIL} {number}",
            config={EVIL: EVIL, "gpu_layers": number, "path": EVIL},
            model_identity=ModelIdentity(name=EVIL, quantization=EVIL),
            sweep=place(sweep, f"{EVIL} {number}", reduced=(EVIL,), race=f"winner: {EVIL}"),
            remarks=Remarks(label=f"{EVIL} {number}", note=EVIL),
            **told,
        )
        score = Score(
            score=50.0,
            metrics={"pass@1": Metric(value=0.5), EVIL: Metric(value=0.5)},
            samples=8,
            completions=8,
            warnings=(EVIL,),
            details={"answers_by": {EVIL: EVIL}},
        )
        record = run.read_record()
        run.write_record(
            type(record)(**{**{f: getattr(record, f) for f in record.__struct_fields__}, "score": score})
        )
        told_of = sent_prompt("HumanEval/1", (Message("user", EVIL),))
        write_prompts(run.path, [told_of])
        told_of_evil = {
            "completion": LONG,
            "answer": LONG,
            "reasoning": LONG,
            "detail": EVIL,
            "read_in": EVIL,
        }
        line = Completion(
            task_id="HumanEval/1", outcome=outcomes[1], passed=outcomes[1] is P, finish_reason=EVIL, expected=EVIL,
            tags={EVIL: EVIL}, metrics={EVIL: 0.5}, prompt_sha256=told_of.sha256, **told_of_evil,
        )  # fmt: skip
        with run.completions.open("ab") as lines:
            lines.write(msgspec.json.encode(line) + b"\n")
        run.script_out.write_bytes(EVIL.encode() + b"\xff\n")
        line = {"time_s": 1.0, "phase": EVIL, "devices": [{"uuid": EVIL, "power_w": 1.0, "error": EVIL}]}
        run.telemetry.write_text(json.dumps(line) + "\n" + json.dumps({**line, "time_s": 2.0}) + "\n")
    record_run(
        folder,
        model=EVIL,
        status=RunStatus.FAILED,
        score=None,
        error=ErrorRecord(kind="server", message=EVIL, hint=EVIL, log_tail=EVIL),
        sweep=place(sweep, f"{EVIL} 2"),
    )
    record_run(folder, benchmark=EVIL, model=HONEST)
    broken = record_run(folder, model="broken")
    broken.run_json.write_text('{"run_id": 1}')
