"""From a sample to an answer: by one request, or by a conversation in which a model calls tools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from evaluation.answers.endings import Ending, ending_of
from results.messages import Message, ToolCall

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from evaluation.protocols import Answer, Request, Sample

MOST_CALLS = 100  # of one turn; what follows is passed over
MOST_CHARS = 200_000  # of a text in a transcript; what follows is passed over
_ID = "call{turn:02}{call:03}"  # nine letters and digits, which is all that Mistral's templates take


class SingleRequest:
    """Implements `Solver`: one request, whose answer it is."""

    async def solve(
        self, sample: Sample, request: Request, ask: Callable[[Request], Awaitable[Answer]]
    ) -> Answer:
        """The answer to the request."""
        del sample
        return await ask(request)


class Tools(Protocol):
    """What stands behind the tools of a sample."""

    def turns(self, sample: Sample) -> int:
        """How many requests an answer to it may take."""

    def results(self, sample: Sample, transcript: Sequence[Message]) -> list[str] | None:
        """What each call of the transcript's last message gives; None where the conversation ends instead."""


class ToolLoop:
    """Implements `Solver`: the model is asked again with what its calls gave, until it calls no more."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def solve(
        self, sample: Sample, request: Request, ask: Callable[[Request], Awaitable[Answer]]
    ) -> Answer:
        """The last answer, with the transcript of the whole. One that failed has what was said before it."""
        turns = self._tools.turns(sample)
        transcript: list[Message] = []
        answers: list[Answer] = []
        while True:
            answer = await ask(msgspec.structs.replace(request, turns=tuple(transcript)))
            answers.append(answer)
            if answer.error:
                break
            said = _message(answer, len(answers))
            transcript.append(said)
            was_cut = ending_of(answer.finish_reason) is not Ending.OWN
            if not said.tool_calls or was_cut or len(answers) >= turns:
                break
            results = self._tools.results(sample, transcript)
            if results is None:
                break
            transcript += [
                Message("tool", result, tool_call_id=call.id)
                for call, result in zip(said.tool_calls, results, strict=True)
            ]
        return _whole(answers, transcript)


def _message(answer: Answer, turn: int) -> Message:
    """What was said, bounded, each call with an id."""
    calls = answer.tool_calls[:MOST_CALLS]
    return Message(
        "assistant",
        answer.text[:MOST_CHARS],
        tool_calls=tuple(
            _bounded(call, _ID.format(turn=turn, call=number)) for number, call in enumerate(calls)
        ),
        reasoning=answer.reasoning[:MOST_CHARS],
    )


def _bounded(call: ToolCall, otherwise: str) -> ToolCall:
    return ToolCall(
        id=call.id[:100] or otherwise,
        name=call.name[:1000],
        arguments=call.arguments[:MOST_CHARS],
    )


def _whole(answers: Sequence[Answer], transcript: Sequence[Message]) -> Answer:
    """The last one with the tokens, seconds, cost and tries of all."""
    return msgspec.structs.replace(
        answers[-1],
        prompt_tokens=_sum([each.prompt_tokens for each in answers]),
        completion_tokens=_sum([each.completion_tokens for each in answers]),
        generated_tokens=_sum([each.generated_tokens for each in answers]),
        reasoning_tokens=_sum([each.reasoning_tokens for each in answers]),
        request_s=_sum([each.request_s for each in answers]),
        attempts=1 + sum(each.attempts - 1 for each in answers),
        transcript=tuple(transcript),
        cost_usd=_sum([each.cost_usd for each in answers], digits=12),
        cached=all(each.cached for each in answers),
    )


def _sum(values: Sequence[Any], *, digits: int = 4) -> Any:
    """None where one is not known."""
    return None if None in values else round(sum(values), digits)
