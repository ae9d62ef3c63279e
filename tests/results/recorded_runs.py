"""Make finished runs, and sweeps of them, as their harness leaves them on disk."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from results.records import Completion, Metric, ModelIdentity, Outcome, Results, Score
from results.stats.intervals import wilson_interval
from results.store.run_folder import RunFolder
from results.store.sweep_folder import ManifestText, PlanEntry, Sweep, SweepFolder
from results.sweep_place import SweepPlace
from tests.results.conftest import a_record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

P, F, X = Outcome.PASSED, Outcome.FAILED, Outcome.INFRASTRUCTURE_ERROR
BEGAN = dt.datetime(2026, 11, 21, 3, 46, tzinfo=dt.UTC)
SETTINGS = {"schema_version": 1, "benchmark": "human_eval", "prompt_style": "chat", "prompts_sha256": "91" * 32,
            "temperature": 0.0, "n_samples": 1, "options": {}}  # fmt: skip
_seconds = itertools.count()


def record_run(
    results_dir: Path,
    outcomes: Sequence[Outcome | Sequence[Outcome]] = (P,),
    *,
    model: str = "Some-1B-Q4_K_M",
    settings: dict[str, Any] | None = None,
    sweep: SweepPlace | None = None,
    no_verdicts: bool = False,
    details: dict[str, Any] | None = None,
    **record: Any,
) -> RunFolder:
    """One a second. A sample's outcomes: of its one completion, or of several."""
    now = BEGAN + dt.timedelta(seconds=next(_seconds))
    folder = RunFolder.create(results_dir, record.get("benchmark", "human_eval"), model, now)
    each = [[one] if isinstance(one, Outcome) else list(one) for one in outcomes]
    solved = sum(sum(o is P for o in ones) / len(ones) for ones in each)
    low, high = wilson_interval(solved, len(each))
    score = Score(
        score=100 * solved / len(each),
        metrics={"pass@1": Metric(value=solved / len(each), low=low, high=high)},
        samples=len(each),
        completions=sum(map(len, each)),
        outcomes=dict(Counter(str(one) for ones in each for one in ones)),
        completion_tokens=1000,
        generate_s=10.0,
        details=details or {},
    )
    defaults = {
        "timestamp": now.isoformat(),
        "model": model,
        "config": {"path": f"/m/{model}.gguf", "gpu_layers": 80, "port": next(_seconds)},
        "score": score,
        "results": Results(score=score.score, time_taken=12.0),
        "model_identity": ModelIdentity(name=model, sha256=f"{abs(hash(model)):064x}"),
        "sweep": sweep,
    }
    folder.write_record(a_record(folder.run_id, **(defaults | record)))
    if not no_verdicts:
        lines = [
            Completion(task_id=f"HumanEval/{number}", index=index, outcome=outcome, passed=outcome is P)
            for number, ones in enumerate(each)
            for index, outcome in enumerate(ones)
        ]
        folder.completions.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
        (folder.path / "settings.json").write_text(json.dumps(SETTINGS | (settings or {})))
    return folder


def begin_sweep(results_dir: Path, labels: Sequence[str]) -> SweepFolder:
    """A sweep of the folder, with so many planned runs."""
    folder = SweepFolder.create(results_dir, "made", BEGAN)
    folder.write(
        Sweep(
            sweep_id=folder.sweep_id,
            created=BEGAN.isoformat(),
            nonce="abcd",
            manifest=ManifestText(text="", form="yaml", name="made", folder="/"),
            runs=tuple(
                PlanEntry(label=each, benchmark="human_eval", model=each, group="g") for each in labels
            ),
        )
    )
    return folder


def place(folder: SweepFolder, label: str, **facts: Any) -> SweepPlace:
    return SweepPlace(sweep_id=folder.sweep_id, fingerprint=f"of {label}", label=label, nonce="abcd", **facts)
