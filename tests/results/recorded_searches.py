"""Make a finished search for a better prompt, as its harness leaves it on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from results.prompts.optimisation import DETAIL, Optimisation, SplitSizes
from results.prompts.prompt_file import PROMPT_NAME, Example, Gain, Lineage, PromptFile, PromptText
from results.records import Results, Score
from tests.results.recorded_runs import record_run

if TYPE_CHECKING:
    from pathlib import Path

    from results.store.run_folder import RunFolder

SEED = PromptText(instruction="Think first.")
GAIN = Gain(
    seed_score=40.0,
    score=70.0,
    samples=50,
    p_value=0.004,
    shown=True,
    says="gain shown: 40.0 -> 70.0 on 50 test samples",
)


def record_search(
    results_dir: Path, *, instruction: str = "Check each step.", gain: Gain | None = GAIN, **record: object
) -> RunFolder:
    """With a prompt of an instruction and an example. record: more of its record."""
    prompt = PromptText(instruction=instruction, examples=(Example(question="2 * 21?", answer="It is 42."),))
    end = Optimisation(
        optimizer="gepa",
        prompt_sha256=prompt.sha256,
        seed_sha256=SEED.sha256,
        instruction_chars=len(instruction),
        examples=1,
        validation_seed=30.0,
        validation_score=80.0,
        splits=SplitSizes(train=10, validation=20, test=50),
        candidates=7,
        stopped="trials",
        evaluations=321,
        reflections=9,
        gain=gain,
    )
    folder = record_run(
        results_dir,
        no_verdicts=True,
        **{
            "model": "m",
            "benchmark": "gsm8k",
            "config": {"optimizer": "gepa", "path": "/m/m.gguf"},
            "score": Score(score=None, details={DETAIL: msgspec.to_builtins(end)}),
            "results": Results(score=None, time_taken=12.0),
            **record,
        },
    )
    lineage = Lineage(
        benchmark="gsm8k",
        model="m",
        optimizer="gepa",
        seed=5,
        run_id=folder.run_id,
        parents=(SEED.sha256, "ab" * 32),
    )
    (folder.path / PROMPT_NAME).write_bytes(
        msgspec.json.encode(PromptFile(prompt=prompt, lineage=lineage, gain=gain))
    )
    return folder
