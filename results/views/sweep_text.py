"""A run's outcome in its sweep, in words: how it ended in a race or on an engine, and which settings were lowered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.records import RunStatus
from results.sweep_place import RaceEnd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.records import RunRecord
    from results.sweep_place import RaceResult, Reduction


def race_text(result: RaceResult) -> str:
    """For example "stopped after 21 of 164 samples: beaten by model-Q4_K_M human_eval"."""
    return ": ".join(filter(None, (race_end_text(result), race_reason_text(result))))


def race_end_text(result: RaceResult) -> str:
    """For example "stopped after 21 of 164 samples"."""
    words = {
        RaceEnd.WINNER: "winner",
        RaceEnd.IN_FRONT: "in front",
        RaceEnd.NOT_BEATEN: "not beaten",
        RaceEnd.WITHDRAWN: "withdrawn",
    }
    return f"{words.get(result.end, 'stopped')} after {result.samples} of {result.total} samples"


def race_reason_text(result: RaceResult) -> str:
    """For example "beaten by model-Q4_K_M human_eval"; empty if it wasn't stopped."""
    return {
        RaceEnd.BEATEN: f"beaten by {result.by}",
        RaceEnd.BEHIND: f"behind {result.by}, and would not be shown better",
        RaceEnd.UNDECIDED: f"undecided, because {result.lost} answers were lost",
        RaceEnd.WITHDRAWN: "it failed",
    }.get(result.end, "")


def reduction_text(reduction: Reduction) -> str:
    """For example "gpu_layers from 25 to 18"."""
    return f"{reduction.setting} from {reduction.before} to {reduction.after}"


def end_text(kind: str, label: str, place: str, why: str, taken: Sequence[RunRecord]) -> list[str]:
    """How an attempt at a unit ended, in lines for people.

    kind: an `EndKind`. label: the unit's. taken: the records of its runs.
    """
    where = f" on {place}" if place else ""
    lines = []
    for record in taken:
        name = record.sweep.label if record.sweep is not None else record.run_id
        if record.status is RunStatus.SUCCEEDED:
            score = record.score.score if record.score else None
            seconds = f" in {record.results.time_taken:.0f} s" if record.results.time_taken else ""
            said = "done" if score is None else f"score {score:.1f} of 100"
            lines.append(f"{name}: {said}{seconds}{where}")
        elif record.status is RunStatus.FAILED:
            lines.append(f"{name}: failed{where}: {record.error.message if record.error else 'unknown'}")
    if kind in {"lost", "refused"}:
        lines.append(f"{label}: {kind}{where}" + (f": {why}" if why else ""))
    return lines
