"""From an answer to a judged completion: which of the five outcomes it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation.answers.thoughts import split_reasoning
from results.records import Completion, Loss, Outcome

if TYPE_CHECKING:
    from evaluation.protocols import Answer, Judgement, Request, Sample, Task

BY_LOGPROBS = "by_logprobs"  # the metric of a completion that had choices
_CUT = {"length", "max_tokens"}  # finish reasons of an answer that met the token limit


def judge(task: Task, sample: Sample, request: Request, answer: Answer) -> Completion:
    """Blocks while code executes.

    An answer cut by the token limit is truncated, never failed, unless it passes as it stands or its own end
    was found before the cut. An empty one is no answer.
    """
    spoken = split_reasoning(answer.text, answer.reasoning)
    cut = answer.finish_reason in _CUT or spoken.unclosed
    judgement: Judgement | None = None
    loss: Loss | None = None
    if answer.error:
        outcome, detail = Outcome.INFRASTRUCTURE_ERROR, answer.error
        loss = Loss.PROMPT_TOO_LONG if answer.too_long else Loss.REQUEST_FAILED
    elif not spoken.answer.strip():
        outcome = Outcome.TRUNCATED if cut else Outcome.NO_ANSWER
        detail = "cut while the model was still thinking" if cut and spoken.reasoning else "empty answer"
    else:
        judgement = task.calculate_metrics(spoken.answer, sample.expected, sample)
        outcome, detail = _outcome(judgement, cut=cut), judgement.detail
        loss = Loss.NOT_JUDGED if judgement.broken else None
    return Completion(
        task_id=request.task_id,
        index=request.index,
        completion=judgement.completion if judgement else "",
        answer=answer.text,
        reasoning=answer.reasoning,
        outcome=outcome,
        passed=outcome is Outcome.PASSED,
        detail=detail,
        finish_reason=answer.finish_reason,
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
        request_s=answer.request_s,
        execute_s=judgement.execute_s if judgement else None,
        near_time_limit=judgement.near_time_limit if judgement else False,
        attempts=answer.attempts,
        expected=sample.expected,
        metrics={**(judgement.metrics if judgement else {}), **_choice_metrics(request, answer)},
        tags=sample.tags,
        loss=loss,
    )


def _choice_metrics(request: Request, answer: Answer) -> dict[str, float]:
    """How a choice was made, and the probability of each: `by_logprobs` 1 or 0, `p(A)`."""
    if not request.choices or answer.error:
        return {}
    probabilities = {f"p({choice})": value for choice, value in sorted(answer.choice_probabilities.items())}
    return {BY_LOGPROBS: float(bool(probabilities)), **probabilities}


def _outcome(judgement: Judgement, *, cut: bool) -> Outcome:
    if judgement.broken:
        return Outcome.INFRASTRUCTURE_ERROR
    if judgement.passed:
        return Outcome.PASSED
    return Outcome.TRUNCATED if cut and not judgement.ended else Outcome.FAILED
