"""Bring any task and any provider together: bounded concurrency, judging beside generation, checkpoint,
progress.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import msgspec

from evaluation.loop.judging import judge, without_open_thoughts
from evaluation.loop.requests import request_again
from evaluation.protocols import PromptStyle
from results.errors import BenchError, RateLimited, Reported, ScriptError
from results.records import Completion, Loss, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from evaluation.loop.checkpoint import Journal, Key
    from evaluation.models.sampling import Sampling
    from evaluation.protocols import Answer, Provider, Request, Sample, Task


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far it is. done counts what is on disk; in_flight what is asked for and not answered yet."""

    done: int
    total: int
    in_flight: int
    passed: int
    completion_tokens: int
    outcomes: dict[str, int]


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """All completions, those of earlier tries included, in the order of the samples.

    generate_s: first request to last answer, of this try; new: how many completions this try made;
    new_tokens: how many tokens the model wrote in it.
    """

    completions: tuple[Completion, ...]
    generate_s: float
    new: int
    new_tokens: int


class Runner:
    """One evaluation. Stops at the first error that makes going on senseless; what is answered by then is
    still judged and written.

    sampling: the run's, of which each request has its own. can_judge: answers wait until it is done; None: for nothing.
    Where it raises BenchError, that ends the evaluation.
    opens_thought: the chat template is known to open a thought in every prompt. corrects: whether these are all answers
    of a run, which together show what single ones are.
    """

    def __init__(
        self,
        task: Task,
        provider: Provider,
        journal: Journal,
        *,
        sampling: Sampling,
        concurrency: int,
        on_progress: Callable[[Progress], None],
        can_judge: asyncio.Future[None] | None = None,
        opens_thought: bool = False,
        corrects: bool = True,
    ) -> None:
        self._task = task
        self._provider = provider
        self._sampling = sampling
        self._journal = journal
        self._concurrency = concurrency
        self._on_progress = on_progress
        self._can_judge = can_judge
        self._opens_thought = opens_thought
        self._corrects = corrects
        self._finished: dict[Key, Completion] = {}
        self._outcomes: Counter[str] = Counter()
        self._total = 0
        self._in_flight = 0
        self._tokens = 0
        self._new = 0
        self._new_tokens = 0
        self._first_request: float | None = None
        self._last_answer = 0.0
        self._error: Reported | None = None
        self._gives_up = False  # an error that ends everything at once is on its way out
        self._is_over = False
        # Answers wait for their judging here; a full house stops asking, so that a crash loses few of them.
        self._backlog = asyncio.Semaphore(2 * concurrency + 2 * task.judge_workers)
        self._pool: ThreadPoolExecutor | None = None

    async def run(
        self, asked: Sequence[tuple[Sample, Request]], n_samples: int, finished: Mapping[Key, Completion]
    ) -> Evaluation:
        """Do what is not `finished`. asked: the samples, each with the request for its first completion.

        Raises BenchError; a cancellation ends it at once, with the journal intact.
        """
        keys = [(sample.task_id, index) for sample, _ in asked for index in range(n_samples)]
        self._total = len(keys)
        self._finished = {key: finished[key] for key in keys if key in finished}
        self._outcomes.update(str(completion.outcome) for completion in self._finished.values())
        self._tokens = sum(completion.completion_tokens or 0 for completion in self._finished.values())
        work = (
            (sample, request_again(first, index, self._sampling))
            for sample, first in asked
            for index in range(n_samples)
            if (sample.task_id, index) not in finished
        )
        if self._task.judge_workers:
            self._pool = ThreadPoolExecutor(self._task.judge_workers, thread_name_prefix="judge")
        try:
            async with asyncio.TaskGroup() as judges:
                await self._generate(work, judges)
        except* Reported as errors:
            self._error = self._error or first_error(errors)
        finally:
            self._is_over = True
            if self._pool is not None:
                self._pool.shutdown(wait=False, cancel_futures=True)
        if self._error is not None:
            raise self._error
        await self._correct(keys)
        return Evaluation(
            completions=tuple(self._finished[key] for key in keys),
            generate_s=self._last_answer - (self._first_request or self._last_answer),
            new=self._new,
            new_tokens=self._new_tokens,
        )

    async def _correct(self, keys: Sequence[Key]) -> None:
        """What all answers together show of single ones is written behind them: the last line of one holds."""
        if self._task.style is not PromptStyle.CHAT or not self._corrects:
            return
        all_of_them = [self._finished[key] for key in keys]
        for completion in without_open_thoughts(all_of_them, known=self._opens_thought):
            await self._journal.add(completion)
            self._finished[completion.task_id, completion.index] = completion

    async def _generate(self, work: Iterator[tuple[Sample, Request]], judges: asyncio.TaskGroup) -> None:
        """Keep `concurrency` requests in flight. An error ends the asking, not the judging of what is
        answered.
        """
        try:
            async with asyncio.TaskGroup() as askers:
                for _ in range(self._concurrency):
                    askers.create_task(self._ask(work, judges))
        except* Reported as errors:
            self._error = self._error or first_error(errors)

    async def _ask(self, work: Iterator[tuple[Sample, Request]], judges: asyncio.TaskGroup) -> None:
        for sample, request in work:
            await self._backlog.acquire()
            if self._error is not None:
                return
            if self._first_request is None:
                self._first_request = time.perf_counter()
            self._in_flight += 1
            try:
                answer = await self._task.solver.solve(sample, request, self._provider.generate)
            except RateLimited as error:  # the others are still answered, and may be paid for
                self._error = self._error or error
                return
            finally:
                self._in_flight -= 1
            self._last_answer = time.perf_counter()
            if not answer.cached:  # its speed would be none
                self._tokens += answer.completion_tokens or 0
            self._new_tokens += answer.completion_tokens or 0
            if self._gives_up:  # what is answered in the moment before this is cancelled too
                return
            judges.create_task(self._judge(sample, request, answer))

    def _judge_in_thread(
        self, sample: Sample, request: Request, answer: Answer, written: asyncio.Future[Completion]
    ) -> None:
        """The journal's thread takes it from here, so that the event loop is woken up once a sample."""
        try:
            completion = judge(self._task, sample, request, answer)
            if not self._is_over:  # else its sandbox may have been closed under it
                self._journal.put(completion, written)
        except BaseException as error:  # noqa: BLE001 - for whoever waits
            written.get_loop().call_soon_threadsafe(_fail, written, error)

    async def _judge(self, sample: Sample, request: Request, answer: Answer) -> None:
        try:
            if self._can_judge is not None:
                await asyncio.shield(self._can_judge)
            if self._pool is None or answer.error:
                completion = judge(self._task, sample, request, answer)
                await self._journal.add(completion)
            else:
                written = asyncio.get_running_loop().create_future()
                self._pool.submit(self._judge_in_thread, sample, request, answer, written)
                completion = await written
        except BenchError as error:  # raised here it would cancel the judging of the others
            self._error = self._error or error
            return
        finally:
            self._backlog.release()
        self._finished[(request.task_id, request.index)] = completion
        self._outcomes[str(completion.outcome)] += 1
        self._new += 1
        if completion.loss is Loss.NOT_JUDGED:
            self._error = self._error or ScriptError(
                f"an answer could not be judged: {completion.detail}",
                hint="see what `doctor` says about the sandbox; what is judged is kept, and --resume continues",
            )
        progress = Progress(
            done=len(self._finished),
            total=self._total,
            in_flight=self._in_flight,
            passed=self._outcomes[str(Outcome.PASSED)],
            completion_tokens=self._tokens,
            outcomes=dict(self._outcomes),
        )
        try:
            self._on_progress(progress)
        except BaseException:
            self._gives_up = True
            raise


def _fail(written: asyncio.Future[Completion], error: BaseException) -> None:
    if not written.done():
        written.set_exception(error)


def first_error(errors: BaseExceptionGroup[Reported]) -> Reported:
    """The first one that was raised, however deep it lies."""
    for error in errors.exceptions:
        if isinstance(error, BaseExceptionGroup):
            return first_error(error)
        return error
    raise ValueError("an empty group")
