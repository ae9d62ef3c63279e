"""What a provider charged for a run, by solved sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from results.records import Score


def usd_per_solved(score: Score | None) -> float | None:
    """Of one solved sample, in USD, each asked once: with several completions a sample, of one that passed. None
    where the cost is not known, nothing was solved, the score is not a share of solved samples, or answers came out
    of a cache, for which this run did not pay.
    """
    if (
        score is None
        or score.cost_usd is None
        or score.cached
        or score.scoring is not None
        or not score.passed
    ):
        return None
    return score.cost_usd / score.passed
