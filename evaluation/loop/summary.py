"""The last event of a program: scores, counts, and what a user should know before believing them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from evaluation.loop.judging import BY_LOGPROBS
from results.records import Loss, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evaluation.loop.runner import Evaluation
    from results.records import Completion, Metric

_UNANSWERED = {Outcome.NO_ANSWER, Outcome.TRUNCATED, Outcome.INFRASTRUCTURE_ERROR}


def summarize(
    evaluation: Evaluation, metrics: Mapping[str, Metric], *, benchmark: str, style: str, max_tokens: int
) -> dict[str, Any]:
    """The fields of the summary event. score and score_answered in percent; metrics are fractions.

    score_answered: of the completions that are an answer (neither truncated, nor empty, nor lost to
    infrastructure); None where there are none. generate_s and tokens_per_s are of this try alone, where a run
    was resumed; execute_s is the sum over all completions. answers_by: how many choices were made in which way.
    """
    completions = evaluation.completions
    outcomes = Counter(str(completion.outcome) for completion in completions)
    answered = [completion for completion in completions if completion.outcome not in _UNANSWERED]
    passed = sum(completion.passed for completion in answered)
    speed = (
        evaluation.new_tokens / evaluation.generate_s
        if evaluation.new_tokens and evaluation.generate_s
        else None
    )
    chosen = Counter(
        "logprobs" if completion.metrics[BY_LOGPROBS] else "generation"
        for completion in completions
        if BY_LOGPROBS in completion.metrics
    )
    return {
        **({"answers_by": dict(sorted(chosen.items()))} if chosen else {}),
        "benchmark": benchmark,
        "score": 100.0 * metrics["pass@1"].value,
        "metrics": {name: msgspec.to_builtins(metric) for name, metric in metrics.items()},
        "samples": len({completion.task_id for completion in completions}),
        "completions": len(completions),
        "outcomes": {str(outcome): outcomes.get(str(outcome), 0) for outcome in Outcome},
        "near_time_limit": sum(completion.near_time_limit for completion in completions),
        "score_answered": 100.0 * passed / len(answered) if answered else None,
        "prompt_tokens": _sum(completion.prompt_tokens for completion in completions),
        "completion_tokens": _sum(completion.completion_tokens for completion in completions),
        "generate_s": round(evaluation.generate_s, 4),
        "execute_s": _sum(completion.execute_s for completion in completions),
        "new_completions": evaluation.new,
        "tokens_per_s": round(speed, 2) if speed else None,
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
    if 2 * (truncated + empty) > total:
        kinds = (
            f"{truncated} of {total} answers hit the {max_tokens}-token limit" * bool(truncated),
            f"{empty} of {total} answers are empty" * bool(empty),
        )
        found.append(
            f"{' and '.join(filter(None, kinds))}, so the score says little about the model: "
            f"raise --max-tokens, or try --prompt-style {other}"
        )
    elif 10 * truncated > total:
        found.append(f"{truncated} of {total} answers were cut at {max_tokens} tokens: raise --max-tokens")
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


def _sum(values: Any) -> Any:
    """None where no value is known."""
    known = [value for value in values if value is not None]
    return round(sum(known), 4) if known else None
