"""What a search for a better prompt came to, as a run's record keeps it: `score.details["optimise"]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from results.json_text import NOT_THAT_JSON
from results.prompts.prompt_file import Gain  # noqa: TC001 - a field: msgspec reads it at run time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from results.records import RunRecord

DETAIL = "optimise"
SPLITS_NAME = "splits.json"


class SplitSizes(msgspec.Struct, frozen=True, kw_only=True):
    """How many samples there were to learn from, to choose by, and to test on."""

    train: int
    validation: int
    test: int


class Optimisation(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a search.

    prompt_sha256: of what was found; seed_sha256: of where it began; both the same: nothing better was found.
    instruction_chars, examples: of what was found. validation_seed, validation_score: percent; the second is the best
    of many, so it is too high. gain: on the test split; None if there is none, or the budget had no room for it.
    stopped: trials, budget, perfect or exhausted. lost: calls of killed tries whose end isn't known. reflector: who
    writes prompts; "" for the model itself.
    """

    optimizer: str
    prompt_sha256: str
    seed_sha256: str
    instruction_chars: int
    examples: int
    validation_seed: float
    validation_score: float
    splits: SplitSizes
    candidates: int
    stopped: str
    evaluations: int
    reflections: int
    lost: int = 0
    tokens: int = 0
    cost_usd: float | None = None
    gain: Gain | None = None
    reflector: str = ""

    @property
    def says(self) -> str:
        """The gain in a sentence."""
        if self.gain is not None:
            return self.gain.says
        if self.splits.test == 0:
            return "no gain shown: there is no test split"
        return "no gain shown: the budget had no room for the test"

    @property
    def calls(self) -> int:
        """Requests of all tries."""
        return self.evaluations + self.reflections + self.lost


class KeptSplits(msgspec.Struct, frozen=True, kw_only=True):
    """`splits.json`: the samples of each split, as `task_id` by sha256."""

    train: dict[str, str]
    validation: dict[str, str]
    test: dict[str, str]


def optimisation_of(details: Mapping[str, Any]) -> Optimisation | None:
    """That of a score's details; None if the run was no search, or its details can't be read."""
    if DETAIL not in details:
        return None
    try:
        return msgspec.convert(details[DETAIL], Optimisation)
    except NOT_THAT_JSON:
        return None


def search_headline(record: RunRecord) -> str:
    """What a search came to, in a few words; "" if the run was none."""
    if not record.is_search:
        return ""
    name = str(record.config.get("optimizer"))
    end = optimisation_of(record.score.details) if record.score is not None else None
    if end is None:
        return f"search by {name}"
    gain = end.gain
    if gain is None:
        return f"search by {name}: {end.says}"
    shown = "gain shown" if gain.shown else "no gain shown"
    return f"search by {name}: {gain.seed_score:.1f} to {gain.score:.1f} on test, {shown}"
