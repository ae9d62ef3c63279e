"""The needle benchmark against one server: which lengths it can hold, and prompts that have them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import msgspec

from evaluation.benchmarks.needle.fitting import learn_tokens
from evaluation.benchmarks.needle.kinds import Kind
from evaluation.benchmarks.needle.task import Cells, NeedleTask
from results.errors import UsageError
from results.stats.context import CONTEXT, context_figures
from settings.needle_lengths import LEAST_LENGTH, ROOM_TOKENS, context_needed, length_text, usual_lengths

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evaluation.benchmarks.needle.fitting import Fitted
    from evaluation.models.openai_interface import OpenAIInterface
    from evaluation.protocols import PromptStyle, Sample
    from results.records import Completion


@dataclass(kw_only=True)
class MeasuredNeedles:
    """cells: without lengths, those follow the server's context. choose: the samples that are wanted of all, in their
    order. say: is told what was found out.
    """

    cells: Cells
    seed: int
    max_tokens: int
    choose: Callable[[Sequence[Sample]], Sequence[Sample]]
    say: Callable[[str], None]
    _fitted: dict[str, Fitted] = field(default_factory=dict)
    _warnings: list[str] = field(default_factory=list)

    def make_task(self, style: PromptStyle, _grader: object) -> NeedleTask:
        return NeedleTask(self.cells, style=style, seed=self.seed, fitted=self._fitted)

    def details(self, completions: Sequence[Completion]) -> dict[str, Any]:
        """For the summary."""
        return {CONTEXT: msgspec.to_builtins(context_figures(completions)), "warnings": self._warnings}

    async def prepare(self, interface: OpenAIInterface, style: PromptStyle) -> None:
        """Settle the lengths and make the prompts. Raises UsageError for lengths that the server can't hold, and
        ServerError.
        """
        self._settle_lengths(interface.context_tokens())
        count = await learn_tokens(interface, style, self.seed)
        if count.counted != "exactly":
            way = {"by usage": "estimated from the counts of its answers"}.get(count.counted, "guessed")
            self._warnings = [
                f"the server has no /tokenize, so the prompts' lengths are {way}: they are near those asked for"
            ]
        self.say(f"making prompts of {', '.join(map(length_text, self.cells.lengths))} tokens")
        texts = {sample.task_id: text for sample, text in self.cells.samples(self.seed)}
        for sample in self.choose(self.make_task(style, None).get_samples(None)):
            most = sample.data["length"] - ROOM_TOKENS
            self._fitted[sample.task_id] = await count.fit(
                texts[sample.task_id], Kind(sample.data["kind"]), most
            )

    def _settle_lengths(self, context: int | None) -> None:
        if self.cells.lengths:
            longest = max(self.cells.lengths)
            needed = context_needed(longest, self.max_tokens)
            if context is not None and needed > context:
                raise UsageError(
                    f"--lengths {length_text(longest)} needs {needed:,} tokens of context for prompt and answer, and "
                    f"a request at this server has {context:,}",
                    hint="raise the context of the server's slots (--ctx-size), or ask for shorter texts",
                    settings=("lengths", "ctx_size"),
                )
            return
        if context is None:
            raise UsageError(
                "the server doesn't tell how long its context is",
                hint="give --lengths, such as 4k,8k,16k",
                settings=("lengths",),
            )
        fit, left_out = usual_lengths(context, self.max_tokens)
        if not fit:
            raise UsageError(
                f"a request at this server has {context:,} tokens of context, and the shortest text with its answer of "
                f"up to {self.max_tokens:,} tokens needs {context_needed(LEAST_LENGTH, self.max_tokens):,}",
                hint="raise --ctx-size, or lower --max-tokens",
                settings=("ctx_size", "max_tokens"),
            )
        if left_out:
            lengths = ", ".join(map(length_text, left_out))
            said = f"{lengths} left out: no room for answers of {self.max_tokens:,} tokens in {context:,} of context"
            self.say(said)
        self.cells = replace(self.cells, lengths=fit)
