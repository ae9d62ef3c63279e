"""The windows of a text, predicted by one server: what is missing is measured, and the summary is said."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import msgspec

from evaluation.benchmarks.kld.predictions import KeptWindow, compare, kept
from evaluation.benchmarks.kld.reference import (
    WINDOWS_NAME,
    ReferenceSettings,
    open_reference,
    predictions_of,
    read_reference,
    require_same_tokens,
)
from evaluation.benchmarks.kld.served import PredictingServer
from evaluation.benchmarks.kld.text import MeasuredText, read_text
from evaluation.benchmarks.kld.windows import Window, cut, tokens_sha256
from evaluation.loop.journal import LineJournal
from results.errors import Reported, UsageError
from results.stats.divergence import (
    JOURNAL_NAME,
    KldReference,
    KldResult,
    KldWindow,
    few_windows,
    figures,
    read_windows,
)
from scripts.arguments import connection_of
from scripts.kld_output import NAME, require_bound, say_summary, told_facts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from scripts.arguments import Arguments
    from scripts.events import Events

_Reference = tuple[ReferenceSettings, dict[int, KeptWindow]]
_DEFAULT_CONCURRENCY = 4  # for a server that does not say how many slots it has
_MUCH_TAIL = 0.25  # of the probability, compared as one: the bound is a loose one


async def run_kld(arguments: Arguments, events: Events) -> None:
    """Measure what is missing in `arguments.output` and say the summary. Raises BenchError."""
    text = read_text(arguments.options["kld_text"])
    folder: Path | None = arguments.options["reference"]
    reference = read_reference(folder) if folder is not None else None
    name = f"{reference[0].facts.name} ({folder.name[:8]})" if folder is not None and reference else ""
    async with contextlib.AsyncExitStack() as opened:
        journal = await opened.enter_async_context(LineJournal(arguments.output, JOURNAL_NAME))
        data = journal.lock_and_read()
        earlier, _ = read_windows(data)
        options = {"top": arguments.options["kld_top"], **({"reference": name} if name else {})}
        settings = require_bound(journal, arguments, text, options=options, is_new=not earlier)
        journal.repair(data, data[: data.rfind(b"\n") + 1])
        journal.bind(settings)
        server = await opened.enter_async_context(_server(arguments, events))
        session = _KldSession(arguments, events, text, server=server, journal=journal, earlier=earlier)
        await session.run(reference)


def _server(arguments: Arguments, events: Events) -> PredictingServer:
    def outage(down: bool) -> None:
        events.emit("phase", phase="waiting_for_server" if down else "generate")
        events.say("the server is gone; waiting for it" if down else "the server is back")

    return PredictingServer(
        connection_of(arguments),
        top=arguments.options["kld_top"],
        server_wait_s=arguments.server_wait,
        on_outage=outage,
    )


class _KldSession:
    def __init__(
        self,
        arguments: Arguments,
        events: Events,
        text: MeasuredText,
        *,
        server: PredictingServer,
        journal: LineJournal,
        earlier: dict[int, KldWindow],
    ) -> None:
        self._arguments = arguments
        self._options = arguments.options
        self._events = events
        self._text = text
        self._server = server
        self._journal = journal
        self._done = earlier
        self._reference: _Reference | None = None
        self._written: tuple[LineJournal, dict[int, KeptWindow]] | None = None
        self._new = 0
        self._in_flight = 0

    async def run(self, reference: _Reference | None) -> None:
        self._events.emit("phase", phase="connect")
        server, options = self._server, self._options
        await server.look(options["kld_window"])
        tokens, begin = await server.tokenize(self._text.content)
        windows = cut(tokens, window=options["kld_window"], begin=begin, limit=self._arguments.limit)
        if reference is not None:
            self._compare_with(reference, windows)
        async with contextlib.AsyncExitStack() as opened:
            if folder := options["write_reference"]:
                writing = await opened.enter_async_context(LineJournal(folder, WINDOWS_NAME))
                self._written = writing, open_reference(writing, self._own_settings())
            await self._measure(windows)
        self._finish(windows)

    def _compare_with(self, reference: _Reference, windows: Sequence[Window]) -> None:
        settings, kept_windows = reference
        require_same_tokens(
            windows, kept_windows, name=settings.facts.name, text_sha256=self._text.sha256, of=settings
        )
        if settings.top != self._options["kld_top"]:
            raise UsageError(
                f"the reference {settings.facts.name} has {settings.top} likely tokens of each prediction, "
                f"not {self._options['kld_top']}",
                hint=f"--kld-top {settings.top}",
                settings=("kld_top", "kld_reference"),
            )
        self._reference = reference

    async def _measure(self, windows: Sequence[Window]) -> None:
        missing = [window for window in windows if self._is_missing(window)]
        self._events.emit("start", benchmark=NAME, total=len(windows), finished=len(windows) - len(missing))
        measured = sum(len(window.measured) for window in windows)
        self._events.say(f"{NAME}: {measured} tokens in {len(windows)} windows, {len(missing)} to measure")
        if not missing:
            return
        self._events.emit("phase", phase="generate")
        work = iter(missing)
        at_once = self._arguments.concurrency or self._server.slots or _DEFAULT_CONCURRENCY
        failures: list[BaseException] = []
        try:
            async with asyncio.TaskGroup() as askers:
                for _ in range(min(at_once, len(missing))):
                    askers.create_task(self._ask(work, len(windows)))
        except* Reported as errors:
            failures += errors.exceptions
        if failures:
            raise failures[0]

    def _is_missing(self, window: Window) -> bool:
        if self._written is not None and window.index not in self._written[1]:
            return True
        return window.index not in self._done

    async def _ask(self, work: Iterator[Window], total: int) -> None:
        for window in work:
            self._in_flight += 1
            try:
                predictions = await self._server.predict(window)
            finally:
                self._in_flight -= 1
            reference = None
            if self._reference is not None:
                reference = predictions_of(self._reference[1][window.index], self._options["reference"])
            line = compare(window, predictions, reference)
            if self._written is not None:
                journal, there = self._written
                if window.index not in there:
                    there[window.index] = kept(window, predictions)
                    await journal.add(there[window.index])
            await self._journal.add(line)
            self._done[window.index] = line
            self._new += 1
            self._events.progress(
                {
                    "done": len(self._done),
                    "total": total,
                    "in_flight": self._in_flight,
                    "completion_tokens": sum(len(of.logprobs) for of in self._done.values()),
                }
            )

    def _own_settings(self) -> ReferenceSettings:
        facts = told_facts(self._options["facts"]) or KldReference(name=self._arguments.model)
        if facts.quantization is None and self._server.quantization:
            facts = msgspec.structs.replace(facts, quantization=self._server.quantization)
        return ReferenceSettings(
            text_sha256=self._text.sha256,
            window=self._options["kld_window"],
            top=self._options["kld_top"],
            server=self._server.kind,
            build=self._server.build,
            facts=facts,
        )

    def _finish(self, windows: Sequence[Window]) -> None:
        found = figures([self._done[window.index] for window in windows])
        of = self._reference[0] if self._reference is not None else None
        written = self._options["write_reference"]
        result = KldResult(
            way="served",
            text_sha256=self._text.sha256,
            tokens_sha256=tokens_sha256(windows),
            window=self._options["kld_window"],
            top=self._options["kld_top"],
            server=self._server.kind,
            build=self._server.build,
            reference=of.facts if of is not None else None,
            key=written.name if written is not None else "",
            figures=found,
        )
        say_summary(self._events, result, warnings=list(_warnings(result, of)), new=self._new)


def _warnings(result: KldResult, of: ReferenceSettings | None) -> Iterator[str]:
    """Sentences about what makes a figure less than it seems."""
    yield from few_windows(result.figures)
    if of is None:
        return
    if (of.server, of.build) != (result.server, result.build):
        yield (
            f"the reference was served by {of.server} {of.build}, this model by {result.server} {result.build}: "
            "the difference is of both, model and build"
        )
    if (result.figures.reference_tail or 0.0) > _MUCH_TAIL:
        yield (
            f"{result.figures.reference_tail:.0%} of the probability was compared as one: the divergence may be much "
            "higher (raise --kld-top)"
        )
