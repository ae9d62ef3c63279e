"""Judge recorded answers again: the same answers, today's rules."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from evaluation.loop.judging import BY_LOGPROBS, advice_of, judge, without_open_thoughts
from evaluation.loop.runner import first_error
from evaluation.protocols import Answer, PromptStyle, Request
from results.errors import BenchError, ResultsError, ScriptError
from results.records import Completion, Cut, Loss, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from evaluation.loop.checkpoint import Journal, Key
    from evaluation.protocols import Sample, Task

_WITHOUT_ANSWER = {Loss.PROMPT_TOO_LONG, Loss.REQUEST_FAILED}


def require_answers(recorded: Sequence[Completion], samples: Mapping[str, Sample], where: str) -> None:
    """Raises ResultsError for what can't be judged again: other samples, or lines without the model's words."""
    if not recorded:
        raise ResultsError(f"{where} holds no completions", hint="there is nothing to judge again")
    for completion in recorded:
        if completion.task_id not in samples:
            raise ResultsError(
                f"{where} holds an answer to {completion.task_id}, which is not in the data set",
                hint="use the data set that the run used",
            )
        judged = completion.outcome in {Outcome.PASSED, Outcome.FAILED}
        if judged and not completion.answer and not completion.transcript:
            raise ResultsError(
                f"{where} has no answer for {completion.task_id}, only what was taken out of it",
                hint="runs of versions that did not keep the model's words can't be judged again",
            )


async def rejudge(
    task: Task,
    samples: Mapping[str, Sample],
    recorded: Sequence[Completion],
    journal: Journal,
    *,
    finished: Mapping[Key, Completion],
    on_judged: Callable[[int], None],
    opens_thought: bool = False,
) -> tuple[Completion, ...]:
    """A completion for each recorded one, in their order; what is `finished` is not judged again.

    What was lost before there was an answer stays lost. Each is on disk before it counts as done. on_judged: told how
    many are. opens_thought: as in `evaluation.loop.runner.Runner`. Raises BenchError.
    """
    done = dict(finished)
    workers = max(1, task.judge_workers)
    turns = asyncio.Semaphore(2 * workers)
    loop = asyncio.get_running_loop()

    async def one(completion: Completion) -> None:
        async with turns:
            new = completion
            if not _was_lost(completion):
                sample = samples[completion.task_id]
                new = await loop.run_in_executor(pool, _judged, task, sample, completion)
            if new.loss is Loss.NOT_JUDGED:
                raise ScriptError(
                    f"an answer could not be judged: {new.detail}",
                    hint="see what `doctor` says about the sandbox; what is judged is kept",
                )
            await journal.add(new)
            done[new.task_id, new.index] = new
            on_judged(len(done))

    pool = ThreadPoolExecutor(workers, thread_name_prefix="judge")
    try:
        async with asyncio.TaskGroup() as judges:
            for completion in recorded:
                if (completion.task_id, completion.index) not in done:
                    judges.create_task(one(completion))
    except* BenchError as errors:
        raise first_error(errors) from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    all_of_them = [done[each.task_id, each.index] for each in recorded]
    if task.style is PromptStyle.CHAT:
        for corrected in without_open_thoughts(all_of_them, known=opens_thought):
            await journal.add(corrected)
            done[corrected.task_id, corrected.index] = corrected
    return tuple(done[each.task_id, each.index] for each in recorded)


def _was_lost(completion: Completion) -> bool:
    """Before there was an answer; older lines do not say how."""
    without = not completion.answer and not completion.reasoning
    unexplained = completion.outcome is Outcome.INFRASTRUCTURE_ERROR and completion.loss is None
    return completion.loss in _WITHOUT_ANSWER or (unexplained and without)


def _judged(task: Task, sample: Sample, recorded: Completion) -> Completion:
    chosen = {
        name[2:-1]: value
        for name, value in recorded.metrics.items()
        if name.startswith("p(") and name.endswith(")")
    }
    answer = Answer(
        text=recorded.answer,
        reasoning=recorded.reasoning,
        finish_reason=recorded.finish_reason,
        prompt_tokens=recorded.prompt_tokens,
        completion_tokens=recorded.completion_tokens,
        context_advice=advice_of(recorded) if recorded.cut is Cut.CONTEXT else "",
        request_s=recorded.request_s,
        attempts=recorded.attempts,
        choice_probabilities=chosen,
        transcript=recorded.transcript,
        continuations=recorded.continuations,
    )
    request = Request(
        task_id=recorded.task_id,
        index=recorded.index,
        style=task.style,
        system="",
        user="",
        choices=sample.choices if BY_LOGPROBS in recorded.metrics else (),
        prompt_sha256=recorded.prompt_sha256,
    )
    return judge(task, sample, request, answer)
