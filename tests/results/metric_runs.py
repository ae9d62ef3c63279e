"""Make finished runs whose score is a metric, as the harness leaves them on disk."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from results.records import Completion, Outcome, Results, Score
from results.scores.metric_scoring import Scoring, TaskScoring
from results.stats.scoring import figures_of
from tests.results.recorded_runs import record_run

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from results.store.run_folder import RunFolder

SPANS = Scoring(tasks={"hotpot": TaskScoring(metrics=("token_f1", "exact_match"))})
LABELS = Scoring(tasks={"cola": TaskScoring(metrics=("mcc", "accuracy"))})
GLUE = Scoring(
    tasks={
        "cola": TaskScoring(metrics=("mcc", "accuracy")),
        "rte": TaskScoring(metrics=("accuracy",)),
        "mrpc": TaskScoring(metrics=("f1", "accuracy"), positive="yes"),
    }
)


def span(number: int, f1: float, outcome: Outcome | None = None, **fields: Any) -> Completion:
    """An answer with such a token F1."""
    outcome = outcome or (Outcome.PASSED if f1 == 1 else Outcome.FAILED)
    metrics = (
        {"token_f1": f1, "exact_match": float(f1 == 1)} if outcome in {Outcome.PASSED, Outcome.FAILED} else {}
    )
    fields = {"task_id": f"hotpot/{number}", "metrics": metrics, **fields}
    return Completion(outcome=outcome, passed=outcome is Outcome.PASSED, **fields)


def label(number: int, said: str, expected: str, *, task: str = "cola", **fields: Any) -> Completion:
    """An answer with such a label; "" for none."""
    right = said == expected
    outcome = Outcome.PASSED if right else Outcome.FAILED if said else Outcome.NO_ANSWER
    return Completion(
        task_id=f"glue/{task}/{number}",
        outcome=outcome,
        passed=right,
        completion=said,
        expected=expected,
        metrics={"accuracy": float(right)} if said else {},
        tags={"task": task},
        **fields,
    )


def labels(said: str, expected: str, *, task: str = "cola") -> list[Completion]:
    """Answers of a letter each: y and n are yes and no, a blank is none."""
    words = {"y": "yes", "n": "no", " ": ""}
    pairs = enumerate(zip(said, expected, strict=True))
    return [label(number, words[one], words[other], task=task) for number, (one, other) in pairs]


def record_metric_run(
    results_dir: Path, completions: Iterable[Completion], scoring: Scoring = SPANS, **record: Any
) -> RunFolder:
    """A run with these answers, its score computed from them."""
    completions = [*completions]
    figures = figures_of(completions, scoring)
    main = next(iter(figures.values()))
    score = Score(
        score=100 * main.value,
        metrics=figures,
        samples=len({each.task_id for each in completions}),
        completions=len(completions),
        outcomes=dict(Counter(str(each.outcome) for each in completions)),
        completion_tokens=1000,
        generate_s=10.0,
        scoring=scoring,
    )
    facts = {"benchmark": "hotpot", "results": Results(score=score.score, time_taken=12.0), "score": score}
    folder = record_run(results_dir, **(facts | record))
    folder.completions.write_bytes(lines(completions))
    return folder


def lines(completions: Sequence[Completion]) -> bytes:
    """A completions.jsonl."""
    return b"".join(msgspec.json.encode(each) + b"\n" for each in completions)
