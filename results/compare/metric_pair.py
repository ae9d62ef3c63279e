"""Two runs whose score is a metric, with the answers that both gave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from results.errors import NotComparable
from results.stats.corpus_metrics import CORPUS_METRICS
from results.stats.scoring import main_metric, tasks_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from results.records import RunRecord
    from results.scores.metric_scoring import Scoring
    from results.stats.paired_metrics import Pairing

_ROUNDING = 1e-6  # percent


def scoring_of(record: RunRecord) -> Scoring | None:
    """How a run's answers become its score, if that is a metric."""
    scoring = record.score.scoring if record.score is not None else None
    return scoring if scoring is not None and scoring.tasks else None


def metric_of_answers(record: RunRecord) -> str:
    """The metric of single answers that is the score; "" if that is another one, or the share that passed."""
    scoring = scoring_of(record)
    if scoring is None or len(scoring.tasks) > 1:
        return ""
    metric = main_metric(scoring)
    return "" if metric in CORPUS_METRICS else metric


def require_passes(record: RunRecord, what: str) -> None:
    """Raise NotComparable for a run whose score is another figure than the share of answers that passed."""
    score = record.score
    if score is None or not score.by_metric or score.score is None or not score.completions:
        return
    if abs(score.score - 100 * (score.passed or 0) / score.completions) > _ROUNDING:
        raise NotComparable(
            f"{what} goes by which answers passed, but the score of {record.run_id} is another figure "
            f"({next(iter(score.metrics), 'a metric')})",
            hint="`compare` tests such scores; take a benchmark or suite whose answers are right or wrong",
        )


def paired_tasks(
    first: Sequence[Any], second: Sequence[Any], samples: Iterable[str], scoring: Scoring
) -> list[Pairing]:
    """Each task with the answers to these samples, which both have. first, second: `ScoredVerdict`s."""
    wanted = {*samples}
    one, other = (
        tasks_of((each for each in run if each.task_id in wanted), scoring) for run in (first, second)
    )
    return list(zip(one, other, strict=True))
