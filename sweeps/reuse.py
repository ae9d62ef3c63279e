"""The finished runs that a sweep refers to instead of running them again."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from results.store.reused_runs import ReusedRun
from runner.reuse import FinishedRuns
from sweeps.race import RACE_SEED

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from engines.planned_run import PlannedRun
    from results.records import RunRecord
    from results.store.sweep_folder import SweepFolder
    from runner.display import Display
    from sweeps.plan import Plan


class Reused(NamedTuple):
    """A planned run and the finished one that stands for it."""

    planned: PlannedRun
    record: RunRecord


def find_reused(
    plan: Plan,
    results_dir: Path,
    *,
    race: bool,
    known: Collection[str] = (),
    warn: Callable[[str], None],
) -> tuple[Reused, ...]:
    """The finished runs that this plan would repeat. known: fingerprints of which the sweep has runs already.

    Raises NewerRecord, ResultsError.
    """
    finished = FinishedRuns(results_dir, warn=warn, race_seed=RACE_SEED if race else None)
    found = []
    for planned in plan.runs:
        if planned.spec is None or (known and planned.fingerprint in known):
            continue
        there = finished.find(planned.spec, lambda planned=planned: planned.fingerprint)  # type: ignore[misc]
        if there is not None:
            found.append(Reused(planned, there[1]))
    return tuple(found)


def note_reused(folder: SweepFolder, reused: Sequence[Reused], display: Display) -> None:
    """Let the sweep refer to these runs, and say so. Raises ResultsError."""
    for planned, record in reused:
        folder.reused.note(
            ReusedRun(run_id=record.run_id, fingerprint=planned.fingerprint, label=planned.label)
        )
        display.say(f"reused: {reused_text(planned.label, record)}")
    if reused:
        runs = "this finished run" if len(reused) == 1 else f"these {len(reused)} finished runs"
        display.say(f"note: {runs} would only be repeated; --fresh runs everything anew")


def reused_text(label: str, record: RunRecord) -> str:
    """Which run stands for a planned one, and what came of it."""
    score = record.score.score if record.score else None
    scored = "" if score is None else f", score {score:.1f}"
    return f"{label}: run {record.run_id} of {record.timestamp[:10]}{scored}"
