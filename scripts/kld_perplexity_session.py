"""A text by llama-perplexity: the reference's base logits from the cache or made once, then the model against them."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import math
from typing import TYPE_CHECKING, Any

import msgspec

from evaluation.benchmarks.kld.base_cache import BaseCache, BaseKey, size_text
from evaluation.benchmarks.kld.perplexity_pass import PassRequest, PerplexityPass
from evaluation.benchmarks.kld.perplexity_words import (
    build_of,
    determining,
    fits_layers,
    reference_words,
    split,
)
from evaluation.benchmarks.kld.row_comparison import compare_rows, text_logprobs
from evaluation.benchmarks.kld.text import DEFAULT_TEXT, read_text
from evaluation.benchmarks.kld.windows import first_measured
from evaluation.loop.journal import LineJournal
from results.errors import ScriptError, UsageError
from results.file_hashes import files_sha256, parts_of
from results.stats.divergence import (
    JOURNAL_NAME,
    PERPLEXITY_LOG,
    REFERENCE_LOG,
    KldReference,
    KldResult,
    KldWindow,
    few_windows,
    figures,
)
from scripts.kld_output import NAME, require_bound, say_summary, told_facts

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from evaluation.benchmarks.kld.base_cache import BaseLogits
    from evaluation.benchmarks.kld.logits_file import LogitsReader
    from evaluation.benchmarks.kld.text import MeasuredText
    from scripts.arguments import Arguments
    from scripts.events import Events

WAY = "llama-perplexity"
_DIFFERENT = 2e-3  # of two perplexities, more than rounding to 16 bits explains


async def run_perplexity(arguments: Arguments, events: Events) -> None:
    """Measure the model whose command line is given, and say the summary. Raises BenchError."""
    text = await asyncio.to_thread(read_text, arguments.options["kld_text"])
    async with LineJournal(arguments.output, JOURNAL_NAME) as journal:
        data = journal.lock_and_read()
        session = _PerplexitySession(arguments, events, text, journal)
        settings = require_bound(journal, arguments, text, options=session.determining(), is_new=not data)
        journal.repair(data, b"")  # a pass can't begin in its middle
        journal.bind(settings)
        try:
            await session.run()
        except ScriptError as error:
            events.say(error.log_tail)
            raise


class _PerplexitySession:
    def __init__(
        self, arguments: Arguments, events: Events, text: MeasuredText, journal: LineJournal
    ) -> None:
        self._arguments = arguments
        self._options = arguments.options
        self._events = events
        self._text = text
        self._journal = journal
        self._words = tuple(self._options["perplexity"])
        self._parts = split(self._words)
        self._build = build_of(self._parts.program)
        self._reference = self._described() if self._options["reference_model"] else None
        self._cache = BaseCache(self._options["kld_cache_size"], events.say)
        self._windows: list[KldWindow] = []
        self._done = 0
        self._total = 0
        self._warnings: list[str] = []

    def determining(self) -> dict[str, Any]:
        """What determines the result beside the model, the text and the window."""
        reference = {"reference": self._reference.sha256} if self._reference is not None else {}
        return {"way": WAY, **reference}

    async def run(self) -> None:
        with contextlib.ExitStack() as opened:
            base = await self._base() if self._reference is not None else None
            if base is not None:
                opened.enter_context(base)
            tokens = await self._measure(base)
        self._finish(tokens, base)

    def _described(self) -> KldReference:
        """The reference, with its hash."""
        path: Path = self._options["reference_model"]
        told = told_facts(self._options["facts"]) or KldReference(name=path.stem)
        if told.sha256 is not None:
            return told
        try:
            self._events.say(f"reading {path} for its hash")
            return msgspec.structs.replace(told, sha256=files_sha256(parts_of(path)))
        except OSError as error:
            raise UsageError(
                f"--reference-model {path}: {error.strerror or error}", hint="give a GGUF file"
            ) from error

    async def _base(self) -> BaseLogits:
        """The reference's, open for reading."""
        reference = self._reference
        if reference is None or reference.sha256 is None:
            raise RuntimeError("there is no reference")
        program = self._parts.program
        words = reference_words(self._words, self._options["reference_model"], fits=fits_layers(program))
        key = BaseKey(
            model_sha256=reference.sha256,
            text_sha256=self._text.sha256,
            window=self._options["kld_window"],
            limit=self._arguments.limit,
            build=self._build.digest,
            options=determining(words),
        )
        async with self._cache.claim(key):
            found = self._cache.find(key)
            if found is None:
                await self._make(key, words, reference.name)
                found = self._cache.find(key)
            else:
                self._events.say(f"the base logits of {reference.name} are in the cache")
        if found is None:
            raise ScriptError(
                f"the base logits of {reference.name} are gone again", hint="run the same command again"
            )
        return found

    async def _make(self, key: BaseKey, words: tuple[str, ...], name: str) -> None:
        self._events.emit("phase", phase="reference")
        self._events.say(f"making the base logits of {name}, once for this text, window and build")
        async with PerplexityPass(self._pass(words, REFERENCE_LOG, name)) as running:
            reader = await running.reader()
            header = reader.header
            self._cache.make_room(header.file_bytes)
            self._events.say(f"{size_text(header.file_bytes)} for {header.n_chunks} windows")
            self._start(2 * header.n_chunks)
            with self._cache.writer(key, name) as writer:
                writer.begin(header, reader.tokens)
                for _ in range(header.n_chunks):
                    await asyncio.to_thread(writer.add, await running.chunk())
                    self._progress(1, header.scored)
                await asyncio.to_thread(writer.finish, await running.finish())

    async def _measure(self, base: BaseLogits | None) -> NDArray[np.int32]:
        """Compare window by window. Returns all tokens."""
        self._events.emit("phase", phase="load")
        async with PerplexityPass(self._pass(self._words, PERPLEXITY_LOG, self._arguments.model)) as running:
            reader = await running.reader()
            header = reader.header
            if base is not None:
                self._require_same(base, reader)
            self._events.emit("phase", phase="generate")
            if not self._total:
                self._start(header.n_chunks)
            for index in range(header.n_chunks):
                rows = reader.rows(await running.chunk())
                after = reader.tokens[index, first_measured(header.n_ctx) :]
                line = await asyncio.to_thread(_window, index, base, rows, after)
                await self._journal.add(line)
                self._windows.append(line)
                self._progress(1, header.scored)
            printed = await running.finish()
        self._check(printed, [line.logprobs for line in self._windows], self._arguments.model)
        if base is not None:
            told = [line.reference_logprobs for line in self._windows]
            self._check(base.facts.perplexity, told, base.facts.model)
        return reader.tokens

    def _require_same(self, base: BaseLogits, reader: LogitsReader) -> None:
        """llama.cpp only logs another vocabulary, and does not notice another tokeniser at all."""
        facts, header = base.facts, reader.header
        model = self._arguments.model
        if header.n_vocab != facts.n_vocab:
            raise UsageError(
                f"{model} has a vocabulary of {header.n_vocab:,} tokens, the reference {facts.model} one of "
                f"{facts.n_vocab:,}: their predictions can't be compared",
                hint="a reference is the same model in another precision",
                settings=("kld_reference",),
            )
        if reader.tokens.shape != base.tokens.shape or (reader.tokens != base.tokens).any():
            raise UsageError(
                f"the reference {facts.model} reads the text as other tokens than {model}: their vocabularies differ",
                hint="a reference is the same model in another precision, or one with the same tokenizer",
                settings=("kld_reference",),
            )

    def _pass(self, words: tuple[str, ...], log: str, model: str) -> PassRequest:
        return PassRequest(
            words=words,
            text=(self._options["kld_text"] or DEFAULT_TEXT).absolute(),
            window=self._options["kld_window"],
            limit=self._arguments.limit,
            log=self._arguments.output / log,
            model=model,
        )

    def _start(self, total: int) -> None:
        self._total = total
        self._events.emit("start", benchmark=NAME, total=total, finished=0)

    def _progress(self, windows: int, tokens: int) -> None:
        self._done += windows
        self._events.progress(
            {
                "done": self._done,
                "total": self._total,
                "in_flight": 1,
                "completion_tokens": self._done * tokens,
            }
        )

    def _check(self, printed: float | None, logprobs: list[tuple[float, ...]], model: str) -> None:
        """Our perplexity, of 16-bit numbers, against the program's own."""
        values = [value for window in logprobs for value in window]
        ours = math.exp(-math.fsum(values) / len(values))
        if printed is not None and abs(math.log(ours / printed)) > _DIFFERENT:
            self._warnings.append(
                f"llama-perplexity's own perplexity of {model} is {printed:.4f}, not {ours:.4f}: some tokens of the "
                "text are so unlikely that its file raises their probability"
            )

    def _finish(self, tokens: NDArray[np.int32], base: BaseLogits | None) -> None:
        result = KldResult(
            way=WAY,
            text_sha256=self._text.sha256,
            tokens_sha256=hashlib.sha256(tokens.astype("<u8").tobytes()).hexdigest(),
            window=self._options["kld_window"],
            server="llama.cpp",
            build=self._build.version,
            reference=self._reference if base is not None else None,
            figures=figures(self._windows),
        )
        warnings = [*few_windows(result.figures), *self._warnings]
        say_summary(self._events, result, warnings=warnings, new=len(self._windows))


def _window(
    index: int, base: BaseLogits | None, rows: NDArray[np.uint16], after: NDArray[np.int32]
) -> KldWindow:
    if base is None:
        return KldWindow(index=index, logprobs=_rounded(text_logprobs(rows, after)))
    found = compare_rows(base.rows(), rows, after)
    return KldWindow(
        index=index,
        logprobs=_rounded(found.logprobs),
        reference_logprobs=_rounded(found.base_logprobs),
        klds=_rounded(found.kld),
        same_top=tuple(map(bool, found.same_top)),
    )


def _rounded(values: NDArray[np.float64]) -> tuple[float, ...]:
    """To as many digits as 16 bits give."""
    return tuple(float(f"{value:.7g}") for value in values)
