"""From an answer to a judged completion: which of the five outcomes it is."""

from __future__ import annotations

import errno
import traceback
from typing import TYPE_CHECKING

import msgspec

from evaluation.answers.endings import Ending, ending_of
from evaluation.answers.thoughts import Spoken, split_reasoning, thinks_aloud
from evaluation.protocols import Answer, PromptStyle
from results.errors import BenchError
from results.records import Completion, Cut, Loss, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evaluation.protocols import Judgement, Request, Sample, Task

BY_LOGPROBS = "by_logprobs"  # the metric of a completion that had choices
_STILL_THINKING = "cut while the model was still thinking"
_STARVED = {errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC}
_CUTS = {Ending.LIMIT: Cut.LENGTH, Ending.CONTEXT: Cut.CONTEXT, Ending.FILTER: Cut.CONTENT_FILTER}
_DETAIL_CHARS = 300


def judge(task: Task, sample: Sample, request: Request, answer: Answer) -> Completion:
    """Blocks while code executes.

    An answer cut by the token limit, the context or a content filter is truncated, never failed, unless it passes as it
    stands or its own end was found before the cut. One whose thought was cut is not judged. An empty one is no answer,
    and one that the server broke off, whose prompt it cut, or that makes what judges it fail, is lost. Raises
    BenchError, which concerns all answers, and what an exhausted machine raises.
    """
    chat = request.style is PromptStyle.CHAT
    cut = _cut(answer)
    spoken = Spoken("", answer.reasoning)
    judgement: Judgement | None = None
    loss: Loss | None = None
    try:
        if not answer.continuations:
            spoken = split_reasoning(answer.text, answer.reasoning, chat=chat)
        if answer.error or ending_of(answer.finish_reason) is Ending.BROKEN_OFF:
            outcome = Outcome.INFRASTRUCTURE_ERROR
            detail = answer.error or f"the server broke off the answer ({answer.finish_reason})"
            loss = Loss.PROMPT_TOO_LONG if answer.too_long else Loss.REQUEST_FAILED
        elif answer.prompt_tokens and answer.prompt_tokens < sample.least_prompt_tokens:
            outcome, loss = Outcome.INFRASTRUCTURE_ERROR, Loss.PROMPT_TOO_LONG
            detail = (
                f"the server cut the prompt: it read {answer.prompt_tokens} of at least "
                f"{sample.least_prompt_tokens} tokens"
            )
        elif answer.continuations:
            judgement = task.judge_continuations(answer.continuations, sample)
            outcome, detail = _outcome(judgement, cut=False), judgement.detail
        elif not spoken.answer.strip() and not any(each.tool_calls for each in answer.transcript):
            outcome = Outcome.TRUNCATED if _is_short(cut) or spoken.unclosed else Outcome.NO_ANSWER
            detail = _nothing_said(answer, spoken, cut)
        else:
            judgement = (
                task.judge_transcript(answer.transcript, sample)
                if answer.transcript
                else task.calculate_metrics(spoken.answer, sample.expected, sample)
            )
            outcome, detail = _outcome(judgement, cut=cut is not None), judgement.detail
            open_end = chat and _is_short(cut) and not spoken.reasoning and not judgement.ended
            if outcome is Outcome.PASSED and open_end and thinks_aloud(spoken.answer):
                outcome, detail = Outcome.TRUNCATED, _STILL_THINKING
            if outcome is Outcome.TRUNCATED:
                detail = _said_of(cut, answer, detail)
            loss = Loss.NOT_JUDGED if judgement.broken else None
    except BenchError:
        raise
    except Exception as error:
        if _is_exhaustion(error):
            raise
        judgement, outcome, loss = None, Outcome.INFRASTRUCTURE_ERROR, Loss.BROKE_JUDGING
        detail = f"judging this answer failed with {_in_a_line(error)}"
    return Completion(
        task_id=request.task_id,
        index=request.index,
        completion=judgement.completion if judgement else "",
        answer=answer.text,
        reasoning=answer.reasoning,
        thought_chars=_thought_chars(answer.text, spoken),
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
        cut=cut,
        failed_check=judgement.failed_check if judgement and outcome is not Outcome.PASSED else None,
        read_in=judgement.read_in if judgement else "",
        prompt_sha256=request.prompt_sha256,
        transcript=answer.transcript,
        cost_usd=answer.cost_usd,
        cached=answer.cached,
        continuations=answer.continuations,
    )


def without_open_thoughts(completions: Iterable[Completion], *, known: bool) -> list[Completion]:
    """Those that were judged though they are only the beginning of a thought, as truncated.

    Where the chat template opens the thought, an answer that was cut in it has no mark that says so; the answers of the
    same model that came to an end have the closing one. known: whether the template is known to do that. completions:
    all of a model in a chat.
    """
    completions = list(completions)
    suspects = [done for done in completions if _may_be_thought(done)]
    if not suspects:
        return []
    if not known:
        ended = [done for done in completions if done.cut is None and done.loss is None]
        implied = sum(split_reasoning(done.answer, done.reasoning).implied for done in ended)
        known = 2 * implied > len(ended)
    return [_as_thought(done) for done in suspects] if known else []


def _may_be_thought(done: Completion) -> bool:
    if done.cut not in {Cut.LENGTH, Cut.CONTEXT} or done.outcome not in {Outcome.PASSED, Outcome.FAILED}:
        return False
    return not split_reasoning(done.answer, done.reasoning).reasoning


def _as_thought(done: Completion) -> Completion:
    detail = _said_of(done.cut, Answer(generated_tokens=done.completion_tokens), _STILL_THINKING)
    return msgspec.structs.replace(
        done,
        outcome=Outcome.TRUNCATED,
        passed=False,
        completion="",
        detail=detail,
        failed_check=None,
        read_in="",
        metrics={
            name: value for name, value in done.metrics.items() if name == BY_LOGPROBS or name[:2] == "p("
        },
    )


def _thought_chars(text: str, spoken: Spoken) -> int:
    """How much at the beginning of a text is a thought."""
    if spoken.unclosed:
        return len(text)
    return max(0, text.rfind(spoken.answer)) if spoken.reasoning and spoken.answer else 0


def _cut(answer: Answer) -> Cut | None:
    return Cut.CONTEXT if answer.context_advice else _CUTS.get(ending_of(answer.finish_reason))


def _is_short(cut: Cut | None) -> bool:
    return cut is not None and cut is not Cut.CONTENT_FILTER


def _nothing_said(answer: Answer, spoken: Spoken, cut: Cut | None) -> str:
    if cut is Cut.CONTENT_FILTER:
        return "the server's content filter held the answer back"
    if spoken.unclosed or (cut and spoken.reasoning):
        return _said_of(cut, answer, _STILL_THINKING)
    if cut:
        return _said_of(cut, answer, "empty answer")
    if spoken.reasoning:
        return "nothing was said after the thought: does the reasoning parser of the server fit the model?"
    return "empty answer"


def _said_of(cut: Cut | None, answer: Answer, detail: str) -> str:
    """What cut the answer, where that is not the limit that was asked for."""
    if cut is Cut.CONTENT_FILTER:
        return "cut by the server's content filter"
    if cut is not Cut.CONTEXT:
        return detail
    generated = answer.generated_tokens or answer.completion_tokens
    after = f" after {generated} tokens" if generated else ""
    thinking = " (the model was still thinking)" * (detail == _STILL_THINKING)
    return f"cut{after} by the context: {answer.context_advice or 'raise --ctx-size'}{thinking}"


def advice_of(completion: Completion) -> str:
    """What to try where the context was full, as `_said_of` put it."""
    said = completion.detail.partition(" by the context: ")[2]
    return said.removesuffix(" (the model was still thinking)") or "raise --ctx-size"


def _is_exhaustion(error: Exception) -> bool:
    """Whether the machine has no more threads, files or room, which is no matter of one answer."""
    if isinstance(error, OSError):
        return error.errno in _STARVED
    return isinstance(error, RuntimeError) and "new thread" in str(error)


def _in_a_line(error: Exception) -> str:
    place = traceback.extract_tb(error.__traceback__, limit=-1)
    where = f" ({place[0].name}, {place[0].filename.rpartition('/')[2]}:{place[0].lineno})" if place else ""
    try:
        text = " ".join(str(error).split())[:_DETAIL_CHARS]
    except Exception:  # noqa: BLE001 - an error whose text can't be made
        text = ""
    return f"{type(error).__name__}: {text}{where}" if text else f"{type(error).__name__}{where}"


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
