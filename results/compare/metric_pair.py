"""Two runs whose score is a metric, with the answers that both gave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from results.stats.scoring import tasks_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from results.metric_scoring import Scoring
    from results.records import RunRecord
    from results.stats.paired_metrics import Pairing


def scoring_of(record: RunRecord) -> Scoring | None:
    """How a run's answers become its score, if that is a metric."""
    scoring = record.score.scoring if record.score is not None else None
    return scoring if scoring is not None and scoring.tasks else None


def paired_tasks(
    first: Sequence[Any], second: Sequence[Any], samples: Iterable[str], scoring: Scoring
) -> list[Pairing]:
    """Each task with the answers to these samples, which both have. first, second: `ScoredVerdict`s."""
    wanted = {*samples}
    one, other = (
        tasks_of((each for each in run if each.task_id in wanted), scoring) for run in (first, second)
    )
    return list(zip(one, other, strict=True))
