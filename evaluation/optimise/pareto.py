"""gepa's choice of a parent from the Pareto front, which it computes anew each time: here once for each front."""

from __future__ import annotations

import random
from typing import Any

from gepa.gepa_utils import remove_dominated_programs


def selector(strategy: str, seed: int) -> Any:
    """What gepa takes as `candidate_selection_strategy`."""
    return ParetoParents(seed) if strategy == "pareto" else strategy


class ParetoParents:
    """As `gepa.strategies.candidate_selector.ParetoCandidateSelector`: each candidate of the front, without those that
    others make dispensable, as often as it is among the best of a validation sample.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - reproducible, not secret
        self._size = 0
        self._parents: list[int] = []

    def select_candidate_idx(self, state: Any) -> int:
        """A parent's place in the pool."""
        if len(state.program_candidates) != self._size:
            self._size = len(state.program_candidates)
            front = remove_dominated_programs(  # type: ignore[no-untyped-call]
                state.get_pareto_front_mapping(), scores=state.per_program_tracked_scores
            )
            self._parents = sorted(place for places in front.values() for place in places)
        return self._random.choice(self._parents)
