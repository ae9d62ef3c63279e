"""Make prompts of a given number of tokens, as the served model counts them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from evaluation.benchmarks.needle.kinds import Kind
from evaluation.benchmarks.needle.texts import NeedleText
from evaluation.protocols import PromptStyle, Request
from results.errors import ServerError

if TYPE_CHECKING:
    from evaluation.models.openai_interface import OpenAIInterface
    from evaluation.protocols import Prompt

_PROBE_CHARS = 4000
_TOLERANCE = 0.02  # of the length: so much shorter a prompt may be
_LEAST_TOLERANCE = 30  # tokens: about a sentence
_MOST_TRIES = 8
_UNKNOWN_TEMPLATE = 80  # tokens, of a server that counts none
_UNKNOWN_RATE = 0.45  # tokens a character: more than any text here has
_GUESSED_ROOM = 0.95  # of a prompt's length is used where its tokens are estimated
_CUT_COUNTED, _CUT_GUESSED = (
    0.99,
    0.85,
)  # of the expected tokens; a server that counts fewer has cut the prompt


class Fitted(NamedTuple):
    """chars: of the haystack. tokens: of the whole prompt, template included. least: what a server counts at least."""

    chars: int
    tokens: int
    least: int


@dataclass(frozen=True)
class TokenCount:
    """How a server's tokens are known.

    overhead: tokens that template and system prompt add. rates: tokens a character, by what the haystack is made of.
    counted: "exactly", at /tokenize; "by usage": estimated from the counts of two answers; "not at all".
    """

    interface: OpenAIInterface
    style: PromptStyle
    overhead: int
    rates: dict[bool, float]
    counted: str

    async def fit(self, text: NeedleText, kind: Kind, most: int) -> Fitted:
        """The longest prompt with at most so many tokens, or somewhat less. Raises ServerError."""
        rate = self.rates[kind is Kind.DENSE]
        aim = most - max(_TOLERANCE * most, _LEAST_TOLERANCE) / 2
        bare = text.prompt(0, self.style)
        if self.counted != "exactly":
            room = most * _GUESSED_ROOM - self.overhead - rate * len(bare.user)
            chars = max(0, int(room / rate))
            tokens = round(self.overhead + rate * len(text.prompt(chars, self.style).user))
            return Fitted(chars, tokens, 0 if self.counted == "not at all" else int(_CUT_GUESSED * tokens))
        chars = max(0, int((aim - await self._tokens(bare)) / rate))
        fitting = Fitted(0, 0, 0)
        for _ in range(_MOST_TRIES):
            tokens = await self._tokens(text.prompt(chars, self.style))
            if fitting.tokens < tokens <= most:
                fitting = Fitted(chars, tokens, int(_CUT_COUNTED * tokens))
            if 2 * aim - most <= tokens <= most:
                break
            chars = max(0, chars + int((aim - tokens) / rate))
        if not fitting.tokens:
            raise ServerError(
                f"no text of {most} tokens could be made: with nothing around them the needles take more",
                hint="leave out the shortest of --lengths",
            )
        return fitting

    async def _tokens(self, prompt: Prompt) -> int:
        count = await self.interface.count_tokens(prompt.user)
        if count is None:
            raise ServerError(
                "the server stopped telling the tokens of a text (/tokenize)",
                hint="see its log; run the same command with --resume",
            )
        return count + self.overhead


async def learn_tokens(interface: OpenAIInterface, style: PromptStyle, seed: int) -> TokenCount:
    """Find out how this server counts. It costs two or three answers of one token."""
    texts = {
        (dense, chars): NeedleText(
            Kind.DENSE if dense else Kind.SINGLE, task_id="needle/probe", seed=seed, depth=0.5
        ).prompt(chars, style)
        for dense in (False, True)
        for chars in (0, _PROBE_CHARS)
    }
    counts = {name: await interface.count_tokens(prompt.user) for name, prompt in texts.items()}
    bare = await _usage(interface, texts[False, 0], style)
    if all(counts.values()):
        overhead = _UNKNOWN_TEMPLATE if bare is None else max(0, bare - (counts[False, 0] or 0))
        rates = {
            dense: _slope(
                texts[dense, 0], counts[dense, 0], texts[dense, _PROBE_CHARS], counts[dense, _PROBE_CHARS]
            )
            for dense in (False, True)
        }
        return TokenCount(interface, style, overhead, rates, "exactly")
    told = {dense: await _usage(interface, texts[dense, _PROBE_CHARS], style) for dense in (False, True)}
    if bare is None or None in told.values():
        rates = dict.fromkeys((False, True), _UNKNOWN_RATE)
        return TokenCount(interface, style, _UNKNOWN_TEMPLATE, rates, "not at all")
    rates = {
        dense: _slope(texts[False, 0], bare, texts[dense, _PROBE_CHARS], told[dense])
        for dense in (False, True)
    }
    overhead = max(0, round(bare - rates[False] * len(texts[False, 0].user)))
    return TokenCount(interface, style, overhead, rates, "by usage")


def _slope(short: Prompt, short_count: int | None, long: Prompt, long_count: int | None) -> float:
    more = (long_count or 0) - (short_count or 0)
    return max(0.05, more / (len(long.user) - len(short.user)))


async def _usage(interface: OpenAIInterface, prompt: Prompt, style: PromptStyle) -> int | None:
    """The tokens that the server counts in a whole prompt; None where it tells none."""
    request = Request(task_id="needle/probe", index=0, style=style, system=prompt.system, user=prompt.user)
    answer = await interface.probe(request, max_tokens=1)
    return answer.prompt_tokens or None
