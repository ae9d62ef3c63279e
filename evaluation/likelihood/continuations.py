"""How likely a model finds each of several continuations of a text, as lm-eval's `loglikelihood` defines it.

A text and its continuation are tokenised as one, by the server: the tokens behind those of the text alone are the
continuation's, blanks at the end of the text go to the continuation, and what comes is the sum of the raw
log-probabilities of these very tokens, whatever the sampling. Only servers that tell those of given tokens can do it.
"""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from evaluation.likelihood.forced_tokens import (
    UNREADABLE,
    forced_by_llama,
    read_ids,
    read_vllm,
    tokenize_request,
    vllm_request,
)
from evaluation.models.asked import asked_by
from evaluation.models.failures import Refused, Transient
from evaluation.models.replies import as_mapping, read_json
from evaluation.protocols import Answer, PromptStyle, Request
from results.json_text import whole_number
from results.scores.scored_continuation import ScoredContinuation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from evaluation.likelihood.forced_tokens import PredictedToken
    from results.messages import Message

    # Posts a body to a path under the server's root. Raises what `evaluation.models.failures` has.
    Send = Callable[[str, Mapping[str, Any]], Awaitable[bytes]]

LLAMA_CPP, VLLM = "grammar of token ids", "prompt log-probabilities"  # the ways, as a record names them
_WAYS = {"llamacpp": LLAMA_CPP, "vllm": VLLM}  # by `owned_by` in the list of models
_ANY_SLOT = -1
TRIED = Request(
    task_id="probe",
    index=0,
    style=PromptStyle.COMPLETION,
    system="",
    user="One, two, three,",
    continuations=(" four",),
)


class SplitTokens(NamedTuple):
    """context: what the model reads first, with the token that begins a prompt, if any. continuation: never empty."""

    context: tuple[int, ...]
    continuation: tuple[int, ...]


class Scorer:
    """Scores continuations by one server, in one way. Safe for many texts at once."""

    def __init__(self, send: Send, way: str, model: str, properties: Mapping[str, Any]) -> None:
        self.way = way
        self._properties = properties
        self._send = send
        self._model = model
        self._kind = "vllm" if way == VLLM else "llama.cpp"
        self._first: tuple[int, ...] | None = None
        self._plain: int | None = None
        self._unwritable: set[int] = set()
        self._slots: asyncio.Queue[int] = asyncio.Queue()
        for slot in range(whole_number(properties.get("total_slots")) or 0):
            self._slots.put_nowait(slot)
        self._knows_slots = not self._slots.empty()

    async def score(
        self, context: str, continuations: Sequence[str], *, begun: bool = False
    ) -> tuple[ScoredContinuation, ...]:
        """A score for each. begun: the context has the token that begins a prompt already, as a chat template's text.

        Raises Refused where the server does not tell it (`TooLong` where they don't fit its context), and what `send`
        raises.
        """
        pairs = await self.split(context, continuations, begun=begun)
        told = await (self._told_by_vllm(pairs) if self._kind == "vllm" else self._forced(pairs))
        return tuple(_sum(each) for each in told)

    async def split(
        self, context: str, continuations: Sequence[str], *, begun: bool = False
    ) -> list[SplitTokens]:
        """The tokens of each pair of texts. Raises Refused where a continuation adds none."""
        text = context.rstrip()
        blanks = context[len(text) :]
        if not text:
            first = await self._first_token()
            alone = [await self._tokens(blanks + each, begin=False) for each in continuations]
            # As lm-eval: a continuation that begins with that very token has it as its context.
            return [
                SplitTokens(tuple(each[:1]), tuple(each[1:]))
                if tuple(each[:1]) == first and len(each) > 1
                else SplitTokens(first, tuple(each))
                for each in alone
            ]
        before = await self._tokens(text, begin=not begun)
        found = []
        for each in continuations:
            whole = await self._tokens(text + blanks + each, begin=not begun)
            if len(whole) <= len(before):
                raise Refused(f"the continuation {each[:40]!r} adds no token to the text before it")
            found.append(SplitTokens(tuple(before), tuple(whole[len(before) :])))
        return found

    async def answer(self, request: Request) -> Answer:
        """The scores of a request's continuations; the text is the likeliest one. Raises as `score`.

        In chat style they continue the model's turn, as its chat template begins it.
        """
        started = time.perf_counter()
        asked, chat = asked_by(request), request.style is PromptStyle.CHAT
        context = await self._templated(asked.messages) if chat else asked.text
        scored = await self.score(context, request.continuations, begun=chat and self._kind == "vllm")
        return Answer(
            text=request.continuations[likeliest([each.logprob for each in scored])].strip(),
            finish_reason="choice",
            completion_tokens=sum(each.tokens for each in scored),
            request_s=round(time.perf_counter() - started, 4),
            continuations=scored,
        )

    async def _templated(self, messages: Sequence[Message]) -> str:
        """A conversation as the chat template writes it, up to the model's turn.

        llama-server leaves the token out that begins a prompt, vLLM writes it.
        """
        said = [{"role": each.role, "content": each.content} for each in messages]
        if self._kind == "vllm":
            asked = {"messages": said, "add_generation_prompt": True}
            ids = as_mapping(await self._post("/tokenize", asked)).get("tokens")
            found = await self._post("/detokenize", {"tokens": ids})
        else:
            found = await self._post("/apply-template", {"messages": said})
        text = as_mapping(found).get("prompt")
        if not isinstance(text, str) or not text:
            raise Refused("the server does not write a conversation as the model's chat template does")
        return text

    async def _first_token(self) -> tuple[int, ...]:
        """What a model reads before a text without a context: the token that begins prompts, else the one that ends."""
        if self._first is None:
            one, begun = await self._tokens("a", begin=False), await self._tokens("a", begin=True)
            found = begun[:1] if len(begun) > len(one) and begun[0] != one[0] else await self._named_first()
            if len(found) != 1:
                raise Refused("the server does not tell the token that stands before a text without context")
            self._first = (found[0],)
        return self._first

    async def _named_first(self) -> list[int]:
        """By llama-server's /props, where prompts begin with none by themselves."""
        for name in ("bos_token", "eos_token"):
            text = self._properties.get(name)
            if isinstance(text, str) and text:
                return await self._tokens(text, begin=False)
        return []

    async def _forced(self, pairs: Sequence[SplitTokens]) -> list[list[PredictedToken]]:
        """One behind the other in one slot, where each finds the context in the cache; other slots have other samples.

        The context is read before the first one, so that all find the same.
        """
        slot = await self._slots.get() if self._knows_slots else _ANY_SLOT
        options = {"cache_prompt": True, "id_slot": slot}
        try:
            await self._post("/completion", {"prompt": pairs[0].context, "n_predict": 0, **options})
            return [await self._forced_in(pair, options) for pair in pairs]
        except UNREADABLE as error:
            raise _untold(error) from error
        finally:
            if self._knows_slots:
                self._slots.put_nowait(slot)

    async def _forced_in(self, pair: SplitTokens, options: Mapping[str, Any]) -> list[PredictedToken]:
        if self._plain is None:
            self._plain = (await self._tokens("a", begin=False))[-1]
        options = {"plain": self._plain, "top": 1, **options}
        try:
            return await forced_by_llama(self._post, *pair, unwritable=self._unwritable, **options)
        except Transient as error:
            if "grammar" not in str(error):
                raise
        # It has the token that ends a text.
        return await forced_by_llama(self._post, *pair, unwritable=pair.continuation, **options)

    async def _told_by_vllm(self, pairs: Sequence[SplitTokens]) -> list[list[PredictedToken]]:
        prompts = [[*pair.context, *pair.continuation] for pair in pairs]
        answer = await self._post("/v1/completions", vllm_request(self._model, prompts, top=1))
        try:
            return [
                read_vllm(answer, prompt, len(pair.context), top=1, index=index)
                for index, (prompt, pair) in enumerate(zip(prompts, pairs, strict=True))
            ]
        except UNREADABLE as error:
            raise _untold(error) from error

    async def _tokens(self, text: str, *, begin: bool) -> list[int]:
        body = tokenize_request(self._kind, self._model, text, begin=begin, special=True)
        try:
            ids, unwritable = read_ids(await self._post("/tokenize", body))
        except ValueError as error:
            raise Refused("the server gives no ids of a text's tokens") from error
        self._unwritable |= unwritable
        return ids

    async def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        """With the model's name, by which llama-server chooses one of several."""
        raw = await self._send(path, {"model": self._model, **body} if self._model else body)
        try:
            return read_json(raw)
        except ValueError as error:
            raise Refused(f"no JSON from {path}") from error


def scorer_for(send: Send, *, owner: str, model: str, properties: Mapping[str, Any]) -> Scorer | None:
    """Who may score continuations on this server; None where it is of no kind that tells how likely given tokens are.

    owner: `owned_by` in the list of models; properties: llama-server's /props. Whether it really does shows `TRIED`.
    """
    way = _WAYS.get(owner)
    return Scorer(send, way, model, properties) if way else None


def likeliest(values: Sequence[float]) -> int:
    """The index of the greatest; of a tie the first, as lm-eval."""
    return max(range(len(values)), key=values.__getitem__)


def _untold(error: Exception) -> Refused:
    return Refused(f"the server does not give log-probabilities of given tokens: {error}")


def _sum(told: Sequence[PredictedToken]) -> ScoredContinuation:
    return ScoredContinuation(
        logprob=math.fsum(each.logprob for each in told),
        tokens=len(told),
        is_greedy=all(each.is_greedy for each in told),
    )
