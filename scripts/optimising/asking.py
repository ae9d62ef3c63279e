"""Ask the model and the reflector for a search, which has a thread of its own; the requests are the event loop's."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import signal
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

from evaluation.loop.judging import judge
from evaluation.loop.prompted_task import PromptedTask
from evaluation.loop.requests import make_request, request_seed
from evaluation.loop.runner import first_error
from evaluation.optimise.contract import Outcome, Reflection
from evaluation.protocols import PromptStyle, Request
from results.errors import Interrupted, Reported, ScriptError
from results.records import Loss
from results.records import Outcome as Ended
from results.stats.scoring import score_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence

    from evaluation.models.openai_interface import OpenAIInterface
    from evaluation.models.sampling import Sampling
    from evaluation.optimise.contract import Item
    from evaluation.protocols import Task
    from results.prompts.prompt_file import PromptText
    from results.records import Completion
    from results.scores.metric_scoring import Scoring
    from scripts.optimising.items import Asked

_REFLECTION = "reflection"
_MOST_SHOWN = 4000  # characters of an answer, or of why it is wrong, in the journal and to a reflector
_T = TypeVar("_T")


class Asking:
    """What a search asks. Its methods without `async` are called from another thread than that of the loop.

    samples: by the sha256 of an item. can_judge: answers are judged when it is done. scoring: how metrics become a
    score; None: what passes has 1. on_call: called after each request, in the loop, with how many are under way.

    most_untold: how many samples at most are asked whose outcome the search has not taken yet: a kill loses no more.
    """

    def __init__(
        self,
        task: Task,
        samples: Mapping[str, Asked],
        interface: OpenAIInterface,
        reflector: OpenAIInterface,
        *,
        sampling: Sampling,
        reflecting: Sampling,
        concurrency: int,
        can_judge: asyncio.Future[None],
        scoring: Scoring | None,
        on_call: Callable[[Completion | None, int], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = task
        self._samples = samples
        self._interface = interface
        self._reflector = reflector
        self._sampling = sampling
        self._reflecting = reflecting
        self._slots = asyncio.Semaphore(concurrency)
        # The judges may have as much before them as they are at work on; without any, an answer is judged at once.
        self.most_untold = concurrency + 2 * task.judge_workers
        self._can_judge = can_judge
        self._scoring = scoring
        self._on_call = on_call
        self._in_flight = 0
        self._open: set[Future[Any]] = set()
        self._stopped = False
        self._pool = (
            ThreadPoolExecutor(task.judge_workers, thread_name_prefix="judge") if task.judge_workers else None
        )

    def stop(self) -> None:
        """End everything that is asked, and refuse to ask more: whoever waits in the other thread gets Interrupted."""
        self._stopped = True
        for each in list(self._open):
            each.cancel()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def evaluate(self, prompt: PromptText, items: Sequence[Item], seed: int) -> Iterator[Outcome]:
        """Implements `contract.Evaluate`: each outcome as soon as it is there. Who asks for the next one has written
        down the one before.
        """
        there: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
        untold = asyncio.Semaphore(self.most_untold)
        asked = self._begun(self._ask_all(prompt, items, seed, untold, there.put))
        asked.add_done_callback(lambda _: there.put(None))
        try:
            while (outcome := there.get()) is not None:
                yield outcome
                self._loop.call_soon_threadsafe(untold.release)
            self._ended(asked)
        finally:
            asked.cancel()

    def reflect(self, text: str, seed: int) -> Reflection:
        """Implements `contract.Reflect`."""
        return self._ended(self._begun(self._reflect(text, seed)))

    def _begun(self, work: Coroutine[Any, Any, _T]) -> Future[_T]:
        if self._stopped:
            work.close()
            raise Interrupted(signal.SIGTERM, "the search was stopped")
        begun = asyncio.run_coroutine_threadsafe(work, self._loop)
        self._open.add(begun)
        begun.add_done_callback(self._open.discard)
        return begun

    def _ended(self, work: Future[_T]) -> _T:
        try:
            return work.result()
        except CancelledError:
            raise Interrupted(signal.SIGTERM, "the search was stopped") from None

    @contextlib.asynccontextmanager
    async def _sending(self) -> AsyncIterator[None]:
        async with self._slots:
            self._in_flight += 1
            try:
                yield
            finally:
                self._in_flight -= 1

    async def _ask_all(
        self,
        prompt: PromptText,
        items: Sequence[Item],
        seed: int,
        untold: asyncio.Semaphore,
        tell: Callable[[Outcome], None],
    ) -> None:
        """untold: taken here for each sample before it is asked; given back by whoever took its outcome."""
        sampling = msgspec.structs.replace(self._sampling, seed=seed)
        try:
            async with asyncio.TaskGroup() as group:
                for item in items:
                    await untold.acquire()
                    group.create_task(self._ask(prompt, item, sampling, tell))
        except* Reported as errors:
            raise first_error(errors) from None

    async def _ask(
        self, prompt: PromptText, item: Item, sampling: Sampling, tell: Callable[[Outcome], None]
    ) -> None:
        its_task, sample = self._samples[item.sha256]
        task = cast("Task", PromptedTask(its_task, prompt))
        request = make_request(task, sample, sampling)
        async with self._sending():
            answer = await task.solver.solve(sample, request, self._interface.generate)
        await asyncio.shield(self._can_judge)
        if self._pool is None or answer.error:
            completion = judge(task, sample, request, answer)
        else:
            completion = await self._loop.run_in_executor(self._pool, judge, task, sample, request, answer)
        outcome = outcome_of(item, completion, self._scoring)
        tell(outcome)
        self._on_call(completion, self._in_flight)

    async def _reflect(self, text: str, seed: int) -> Reflection:
        style = self._task.style
        sampling = msgspec.structs.replace(self._reflecting, seed=request_seed(seed, _REFLECTION, 0))
        request = Request(task_id=_REFLECTION, index=0, style=style, system="", user=text, sampling=sampling)
        if self._reflector is not self._interface:
            request = msgspec.structs.replace(request, style=PromptStyle.CHAT)
        async with self._sending():
            answer = await self._reflector.generate(request)
        if answer.error and not (answer.too_long or answer.refused):
            raise ScriptError(
                f"the reflector gave no answer: {answer.error}",
                hint="what was asked is kept: the same command with --resume continues",
            )
        self._on_call(None, self._in_flight)
        tokens = (answer.prompt_tokens or 0) + (answer.completion_tokens or 0)
        return Reflection(text=answer.text, tokens=tokens or None, cost_usd=answer.cost_usd)


def outcome_of(item: Item, completion: Completion, scoring: Scoring | None) -> Outcome:
    """What an answer is worth to a search. Raises ScriptError for one that was lost or could not be judged."""
    lost = completion.loss
    if lost is Loss.NOT_JUDGED or lost is Loss.REQUEST_FAILED:
        what = "could not be judged" if lost is Loss.NOT_JUDGED else "was lost"
        raise ScriptError(
            f"an answer {what}: {completion.detail}",
            hint="what was asked is kept: the same command with --resume continues",
        )
    score = float(completion.passed)
    if scoring is not None and scoring.tasks:
        score = (score_of([completion], scoring) or 0.0) / 100
    tokens = (completion.prompt_tokens or 0) + (completion.completion_tokens or 0)
    return Outcome(
        sha256=item.sha256,
        score=min(1.0, max(0.0, score)),
        answer=_short(completion.answer),
        feedback=_short(_feedback(completion, score)),
        cause=_cause(completion),
        tokens=tokens or None,
        cost_usd=completion.cost_usd,
    )


def _feedback(completion: Completion, score: float) -> str:
    """In words, what is right or wrong with an answer, and what was expected."""
    if completion.passed:
        return "The answer is right."
    lines = [
        f"The answer is wrong ({str(completion.outcome).replace('_', ' ')}): {completion.detail}".rstrip(": ")
    ]
    if 0 < score < 1:
        lines.append(f"It is worth {score:.2f} of 1.")
    check = completion.failed_check
    if check is not None:
        told = {"failed check": check.check, "call": check.call, "input": check.given, "got": check.got,
                "expected": check.expected}  # fmt: skip
        lines += [f"{name}: {value}" for name, value in told.items() if value]
    elif completion.expected is not None:
        lines.append(f"expected: {completion.expected}")
    return "\n".join(lines)


def _cause(completion: Completion) -> str:
    """A label that groups answers which fail alike."""
    if completion.passed:
        return ""
    if completion.outcome is not Ended.FAILED:
        return str(completion.outcome)
    words = completion.detail.split(":", 1)[0].split()
    if completion.failed_check is not None:
        return "wrong result" if completion.failed_check.relation else (words[0] if words else "failed")
    named = words[0] if words and words[0].endswith(("Error", "Exception")) else ""
    return named or ("no answer found" if not completion.completion else "wrong answer")


def _short(text: str) -> str:
    return (
        text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN // 2]}\n...\n{text[-_MOST_SHOWN // 2 :]}"
    )
