"""The last event of a program: scores, counts, and what a user should know before believing them."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from evaluation.loop.judging import BY_LOGPROBS
from results.records import Cut, Loss, Outcome
from results.stats.scoring import figures_of, score_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evaluation.loop.runner import Evaluation
    from results.records import Completion, Metric
    from results.scores.metric_scoring import Scoring

_UNANSWERED = {Outcome.NO_ANSWER, Outcome.TRUNCATED, Outcome.INFRASTRUCTURE_ERROR}


def summarize(
    evaluation: Evaluation,
    metrics: Mapping[str, Metric],
    *,
    benchmark: str,
    style: str,
    max_tokens: int,
    scoring: Scoring | None = None,
) -> dict[str, Any]:
    """The fields of the summary event. score and score_answered in percent; metrics are fractions.

    metrics: those of a benchmark whose score is the share that passed. scoring: of one whose score is a metric.

    score_answered: of the completions that are an answer (neither truncated, nor empty, nor lost to
    infrastructure); None where there are none. cost_usd: of all answers, those that got lost left out. generate_s
    and tokens_per_s are of this try alone, where a run was resumed; execute_s is the sum over all completions.
    answers_by: how many choices were made in which way; answers_by_sha256: of which they are, where there are both.
    """
    completions = evaluation.completions
    outcomes = Counter(str(completion.outcome) for completion in completions)
    answered = [completion for completion in completions if completion.outcome not in _UNANSWERED]
    passed = sum(completion.passed for completion in answered)
    score_answered = 100.0 * passed / len(answered) if answered else None
    if scoring is not None:
        figures = figures_of(completions, scoring)
        metrics = figures if scoring.tasks else {**metrics, **figures}
        if scoring.tasks:
            score_answered = score_of(answered, scoring)
    speed = (
        evaluation.new_tokens / evaluation.generate_s
        if evaluation.new_tokens and evaluation.generate_s
        else None
    )
    cached = sum(completion.cached for completion in completions)
    chosen = Counter(
        "logprobs" if completion.metrics[BY_LOGPROBS] else "generation"
        for completion in completions
        if BY_LOGPROBS in completion.metrics
    )
    ways: dict[str, Any] = {"answers_by": dict(sorted(chosen.items()))} if chosen else {}
    if len(chosen) > 1:
        ways["answers_by_sha256"] = _which_by_logprobs(completions)
    return {
        **ways,
        "benchmark": benchmark,
        **({"scoring": msgspec.to_builtins(scoring)} if scoring is not None else {}),
        "score": 100.0 * next(iter(metrics.values())).value,
        "metrics": {name: msgspec.to_builtins(metric) for name, metric in metrics.items()},
        "samples": len({completion.task_id for completion in completions}),
        "completions": len(completions),
        "outcomes": {str(outcome): outcomes.get(str(outcome), 0) for outcome in Outcome},
        "near_time_limit": sum(completion.near_time_limit for completion in completions),
        "score_answered": score_answered,
        "prompt_tokens": _sum(completion.prompt_tokens for completion in completions),
        "completion_tokens": _sum(completion.completion_tokens for completion in completions),
        "generate_s": round(evaluation.generate_s, 4),
        "execute_s": _sum(completion.execute_s for completion in completions),
        "new_completions": evaluation.new,
        "tokens_per_s": round(speed, 2) if speed and not cached else None,
        "cost_usd": _cost(completions),
        "cached": cached,
        "warnings": warnings(completions, style=style, max_tokens=max_tokens),
    }


def warnings(completions: Sequence[Completion], *, style: str, max_tokens: int) -> list[str]:
    """Sentences, the worst first."""
    total = len(completions)
    lost = [completion for completion in completions if completion.outcome is Outcome.INFRASTRUCTURE_ERROR]
    too_long = sum(completion.loss is Loss.PROMPT_TOO_LONG for completion in lost)
    truncated = sum(completion.outcome is Outcome.TRUNCATED for completion in completions)
    empty = sum(completion.outcome is Outcome.NO_ANSWER for completion in completions)
    other = "completion" if style == "chat" else "chat"
    found = []
    if too_long:
        found.append(
            f"{too_long} of {total} prompts do not fit the context of a slot and count as not solved: "
            "give the server a larger context (--ctx-size) or fewer slots (--parallel), and resume"
        )
    if len(lost) > too_long:
        details = Counter(item.detail for item in lost if item.loss is not Loss.PROMPT_TOO_LONG)
        why = details.most_common(1)[0][0]
        found.append(
            f"{len(lost) - too_long} of {total} completions were lost to infrastructure ({why}) and count "
            "as not solved: run the same command with --resume to repeat them"
        )
    found += _cut_short(completions, truncated=truncated, empty=empty, other=other, max_tokens=max_tokens)
    near = sum(completion.near_time_limit for completion in completions)
    if near:
        found.append(
            f"{near} of {total} verdicts depend on how fast this machine is: these programs ended within a factor of "
            "two of their processor time limit; a higher --cpu-limit settles them"
        )
    ways = Counter(done.metrics[BY_LOGPROBS] for done in completions if BY_LOGPROBS in done.metrics)
    if len(ways) > 1:
        found.append(
            f"{ways[1.0]} answers were chosen by log-probabilities and {ways[0.0]} were generated because the "
            "first token did not show the choice: compare this score only with similar ones, or use --answer-by letter"
        )
    return found


def _cut_short(
    completions: Sequence[Completion], *, truncated: int, empty: int, other: str, max_tokens: int
) -> list[str]:
    """What cut answers, what helps, and whether the score still says something."""
    total = len(completions)
    short = [done for done in completions if done.outcome is Outcome.TRUNCATED]
    by_context = [done for done in short if done.cut is Cut.CONTEXT]
    by_filter = sum(done.cut is Cut.CONTENT_FILTER for done in short)
    by_limit = truncated - len(by_context) - by_filter
    details = Counter(done.detail.partition(": ")[2].partition(" (the model")[0] for done in by_context)
    larger = details.most_common(1)[0][0] if details else ""
    filtered = sum(done.cut is Cut.CONTENT_FILTER for done in completions)
    found = []
    if 2 * (truncated + empty) > total:
        kinds = (
            f"{by_limit} of {total} answers hit the {max_tokens}-token limit" * bool(by_limit),
            f"{len(by_context)} of {total} answers filled the context" * bool(by_context),
            f"{empty} of {total} answers are empty" * bool(empty),
            f"{by_filter} of {total} answers were cut by a content filter" * bool(by_filter),
        )
        advice = ("raise --max-tokens" * bool(by_limit or empty), larger, f"try --prompt-style {other}")
        found.append(
            f"{' and '.join(filter(None, kinds))}, so the score says little about the model: "
            f"{', or '.join(filter(None, advice))}"
        )
    else:
        if 10 * by_limit > total:
            found.append(f"{by_limit} of {total} answers were cut at {max_tokens} tokens: raise --max-tokens")
        if by_context:
            found.append(
                f"{len(by_context)} of {total} answers were cut before {max_tokens} tokens because the context was "
                f"full: {larger}"
            )
    if filtered:
        found.append(
            f"a content filter of the server stopped {filtered} of {total} answers, which say nothing about the model"
        )
    return found


def _which_by_logprobs(completions: Sequence[Completion]) -> str:
    """Of the ids: runs that mix both ways otherwise can't be compared."""
    chosen = sorted(
        f"{each.task_id}\0{each.index}\0{each.metrics[BY_LOGPROBS]:.0f}"
        for each in completions
        if BY_LOGPROBS in each.metrics
    )
    return hashlib.sha256("\n".join(chosen).encode()).hexdigest()


def _cost(completions: Sequence[Completion]) -> float | None:
    """In USD; None where that of an answer is not known."""
    answered = [done for done in completions if done.outcome is not Outcome.INFRASTRUCTURE_ERROR]
    costs = [done.cost_usd for done in answered if done.cost_usd is not None]
    return round(math.fsum(costs), 10) if answered and len(costs) == len(answered) else None


def _sum(values: Any) -> Any:
    """None where no value is known."""
    known = [value for value in values if value is not None]
    return round(sum(known), 4) if known else None
