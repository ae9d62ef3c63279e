"""A run's outcome in its sweep, in words: how it ended in a race, and which settings were lowered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.sweep_place import RaceEnd

if TYPE_CHECKING:
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
