"""A search for a better prompt on one benchmark, against one server: from the settings to the prompt file.

The folder gets `evaluations.jsonl` (every request, by prompt and sample), `splits.json` (which samples were for what)
and `prompt.json` (what was found). Called again, it goes on behind the last line.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from evaluation.loop.checkpoint import check_settings, read_settings
from evaluation.loop.journal import LineJournal
from evaluation.optimise.contract import Budget, Problem
from evaluation.optimise.journal import JOURNAL_NAME
from evaluation.optimise.parameters import read_parameters
from evaluation.optimise.search import optimise, require_gepa
from evaluation.optimise.splits import narrowed
from evaluation.spending.opening import spent_so_far
from results.durable import explained, replace_file
from results.errors import ResultsError, UsageError
from results.files import user_path
from results.json_text import encode, encode_indented
from results.prompts.optimisation import (
    DETAIL,
    SPLITS_NAME,
    KeptSplits,
    Optimisation,
    SplitSizes,
)
from results.prompts.prompt_file import (
    PROMPT_NAME,
    PROMPT_SHA256,
    Lineage,
    PromptFile,
    PromptText,
    read_prompt_file,
)
from scripts.arguments import connection_of
from scripts.optimising.asking import Asking
from scripts.optimising.items import by_sha256, pool_of
from scripts.optimising.reflector import open_reflector, reflecting_by, without_price
from scripts.optimising.worst_case import WorstCases
from scripts.sessions.server_session import ServerSession, grader_of

if TYPE_CHECKING:
    from evaluation.loop.checkpoint import Settings
    from evaluation.models.prompt_style import StyleChoice
    from evaluation.optimise.contract import Found, Progress, Splits
    from evaluation.protocols import PromptStyle, Task
    from evaluation.spending.opening import SpendingAsked
    from results.records import Completion
    from sandbox.opening import OpeningSandbox
    from scripts.arguments import Arguments
    from scripts.benchmark_program import BenchmarkProgram
    from scripts.events import Events
    from scripts.optimising.asked import Part, Search
    from scripts.optimising.items import Pool
    from scripts.sessions.server_session import Reached

_NOT_OF_OUTCOMES = {"style_choice", "sent_as", "left_out", "limit"}


async def optimise_benchmark(
    benchmark: BenchmarkProgram,
    search: Search,
    arguments: Arguments,
    events: Events,
    *,
    opening: OpeningSandbox | None = None,
) -> None:
    """Search, write `prompt.json` and say the summary. Raises BenchError."""
    require_gepa()
    seed_prompt = read_prompt_file(arguments.prompt).prompt if arguments.prompt else PromptText()
    begins = {} if seed_prompt.is_empty else {PROMPT_SHA256: seed_prompt.sha256}
    options = {**benchmark.options, **begins, **search.settings}
    async with LineJournal(arguments.output, JOURNAL_NAME) as journal:
        there = journal.lock_and_read()
        old = read_settings(arguments.output)
        if there and old is None:
            raise ResultsError(
                f"{journal.path} has answers, and there is no settings.json that says with which settings",
                hint="choose another --output",
            )
        session = _Search(
            benchmark=msgspec.structs.replace(benchmark, options=options),
            arguments=arguments,
            connection=connection_of(arguments),
            grader=grader_of(arguments, opening),
            events=events,
            journal=journal,
            finished={},
            search=search,
            seed_prompt=seed_prompt,
        )
        await session.run(old)


@dataclasses.dataclass(kw_only=True)
class _Search(ServerSession):
    search: Search
    seed_prompt: PromptText
    calls: int = 0
    passed: int = 0
    tokens: int = 0
    total: int = 0
    first: int = 0  # requests for the seed prompt on validation
    tested: int = 0  # requests of the test, at the most
    seen: tuple[int, float] = (0, -1.0)

    async def run(self, old: Settings | None) -> None:
        style = self.begin(old)
        opening = asyncio.get_running_loop().run_in_executor(None, self.open_grader)
        try:
            await self._search(old, style, opening)
        finally:
            await asyncio.wait([opening])
            opening.exception()  # looked at, also where another error came first
            self.grader.close()

    async def _search(
        self, old: Settings | None, style: StyleChoice | None, opening: asyncio.Future[None]
    ) -> None:
        arguments, search = self.arguments, self.search
        async with self.reach(style) as reached, open_reflector(self, reached) as reflector:
            task = self.benchmark.make_task(reached.style.chosen, self.grader)
            settings = self.settings(task, reached.style)
            settings = msgspec.structs.replace(
                settings, options={**settings.options, "samples": settings.limit}
            )
            if old is not None:
                check_settings(old, settings, arguments.output)
            self.bound = settings
            self.journal.bind(settings)
            sampling = self.connection.sampling
            parameters = read_parameters(search.optimizer, search.params, search.prompt_params)
            seed = sampling.seed or 0
            pool = pool_of(task, self.samples(task), search, seed, partial(self._other, task.style))
            # The splits are drawn by the run's seed, so that searches of other seeds have the same test.
            seed = seed if parameters.seed is None else parameters.seed
            pool = pool._replace(splits=narrowed(pool.splits, parameters.n_samples, seed))
            self._write(SPLITS_NAME, _kept(pool.splits))
            reflecting = reflecting_by(sampling, search)
            asking = Asking(
                task,
                pool.samples,
                reached.interface,
                reflector.interface,
                sampling=sampling,
                reflecting=reflecting,
                concurrency=reached.concurrency,
                can_judge=opening,
                scoring=self.benchmark.scoring,
                on_call=self._on_call,
            )
            worst = WorstCases(
                pool.samples, sampling, reflecting, price=self.price, reflector_price=reflector.price
            )
            problem = Problem(
                splits=pool.splits,
                evaluate=asking.evaluate,
                reflect=asking.reflect,
                seed_prompt=self.seed_prompt,
                identity=_identity(settings),
                worst_case=worst,
                in_flight=asking.most_untold,
            )
            self._started(settings, pool, reached)
            self.asking = asking
            try:
                found = await asyncio.to_thread(
                    optimise,
                    problem,
                    optimizer=search.optimizer,
                    journal=arguments.output / JOURNAL_NAME,
                    seed=seed,
                    params=search.params,
                    prompt_params=search.prompt_params,
                    budget=Budget(
                        max_calls=search.max_calls,
                        max_tokens=arguments.max_tokens_total,
                        max_cost_usd=arguments.max_cost,
                    ),
                    on_progress=self._on_trial,
                )
            finally:
                asking.stop()
        self._finish(self.bound, pool, found, seed)

    def spending_asked(self) -> SpendingAsked:
        asked = super().spending_asked()
        return without_price(asked, self.connection) if self.search.reflector else asked

    def _other(self, style: PromptStyle, part: Part) -> Task:
        """The task over another data set. Raises BenchError where it can't be read."""
        if self.benchmark.other_data is None:
            raise UsageError(
                f"--datasets: {self.benchmark.name} has only the samples of the run",
                hint="leave `file` and `split` out; the splits are then drawn from the run's samples",
                settings=("datasets",),
            )
        path = user_path(part.file) if part.file else None
        return self.benchmark.other_data(path, part.split)(style, self.grader)

    @property
    def price(self) -> Any:
        """Of the model; None where it has none."""
        if self.spending_asked().max_cost_usd is None:
            return None
        from settings.spending.prices import price_of

        info = self.connection
        return price_of(info.provider, info.base_url, info.model)

    def _write(self, name: str, what: msgspec.Struct) -> None:
        path = self.arguments.output / name
        with explained("write", path):
            replace_file(path, encode_indented(what, indent=2))

    def _started(self, settings: Settings, pool: Pool, reached: Reached) -> None:
        splits = pool.splits
        self.first, self.tested = len(splits.validation), 2 * len(splits.test)
        self.total = self.search.max_calls or 20 * self.first + self.tested
        self.events.emit(
            "start",
            benchmark=self.benchmark.name,
            total=self.total,
            finished=0,
            completion_tokens=0,
            concurrency=reached.concurrency,
            settings=msgspec.to_builtins(settings),
        )
        self.events.say(
            f"{self.benchmark.name}: {self.search.optimizer}, {len(splits.train)} samples to learn from, "
            f"{len(splits.validation)} to choose by, {len(splits.test)} to test on; {reached.concurrency} at once, "
            f"{settings.prompt_style} style"
        )
        self.events.emit("phase", phase="generate")

    def _on_call(self, completion: Completion | None, in_flight: int) -> None:
        self.calls += 1
        if completion is not None:
            self.passed += completion.passed
            self.tokens += completion.completion_tokens or 0
        self.total = max(self.total, self.calls + 1)
        fields = {
            "done": self.calls,
            "total": self.total,
            "in_flight": in_flight,
            "passed": self.passed,
            "completion_tokens": self.tokens,
            "outcomes": {},
        }
        if in_flight:
            self.events.progress(fields)
        else:  # whoever watches the server must know that nothing is asked of it for a while
            self.events.emit("progress", **fields)

    def _on_trial(self, progress: Progress) -> None:
        """In the search's thread."""
        calls = progress.spent.calls
        if self.search.max_calls is None and progress.trial:
            # A perfect prompt is the last one.
            more = 0 if progress.best >= 1 else max(0, progress.of - progress.trial)
            left = max(0, calls - self.first) / progress.trial * more
            self.total = self.calls + int(left) + self.tested
        seen = (progress.trial, progress.best)
        if seen == self.seen:  # a proposal that came to nothing is no news
            return
        self.seen = seen
        best, seed = 100 * progress.best, 100 * progress.seed
        self.events.emit("trial", trial=progress.trial, of=progress.of, best=best, seed=seed, calls=calls)
        self.events.say(
            f"trial {progress.trial} of {progress.of}: best {best:.1f} of 100 on validation, "
            f"seed prompt {seed:.1f}; {calls} requests"
        )

    def _finish(self, settings: Settings, pool: Pool, found: Found, seed: int) -> None:
        splits, spent = pool.splits, found.spent
        end = Optimisation(
            optimizer=self.search.optimizer,
            prompt_sha256=found.prompt.sha256,
            seed_sha256=self.seed_prompt.sha256,
            instruction_chars=len(found.prompt.instruction),
            examples=len(found.prompt.examples),
            validation_seed=100 * found.validation_seed,
            validation_score=100 * found.validation_score,
            splits=SplitSizes(
                train=len(splits.train), validation=len(splits.validation), test=len(splits.test)
            ),
            candidates=found.candidates,
            stopped=str(found.stopped),
            evaluations=spent.evaluations,
            reflections=spent.reflections,
            lost=spent.lost,
            tokens=spent.tokens,
            cost_usd=spent.cost_usd or None,
            gain=found.gain,
            reflector=self.search.reflector,
        )
        lineage = Lineage(
            benchmark=self.benchmark.name,
            model=self.arguments.model,
            optimizer=self.search.optimizer,
            seed=seed,
            run_id=self.arguments.output.absolute().name,
            parents=found.parents,
            splits=found.splits,
            evaluations=spent.evaluations,
            made=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        )
        self._write(PROMPT_NAME, PromptFile(prompt=found.prompt, lineage=lineage, gain=found.gain))
        warnings = [*self.grader.warnings, *self.parameters.warnings, *self.warnings]
        for warning in warnings:
            self.events.say(f"WARNING: {warning}")
        self.events.say(end.says)
        self.events.emit(
            "summary",
            benchmark=self.benchmark.name,
            **{DETAIL: msgspec.to_builtins(end)},
            replayed=found.replayed,
            warnings=warnings,
            **spent_so_far(self.arguments.output),
            sampling=self.parameters.describe(),
            prompt_style=settings.style_choice,
            sandbox=self.grader.describe(),
        )


def _kept(splits: Splits) -> KeptSplits:
    return KeptSplits(
        train=by_sha256(splits.train), validation=by_sha256(splits.validation), test=by_sha256(splits.test)
    )


def _identity(settings: Settings) -> str:
    """Of everything that determines an outcome beside prompt and sample."""
    import hashlib

    told = {
        name: value for name, value in msgspec.to_builtins(settings).items() if name not in _NOT_OF_OUTCOMES
    }
    options = dict(told.pop("options"))
    options.pop("max_calls", None)
    return hashlib.sha256(encode({**told, "options": options})).hexdigest()
