"""What the samples of this benchmark have in common, wherever they come from; and what a conversation comes to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from evaluation.answers.thoughts import split_reasoning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evaluation.protocols import Prompt
    from results.messages import Message, ToolCall

# How models write a call where the server reads none: Hermes, Qwen, Llama, Mistral, Gemma, functionary, DeepSeek, bare.
_CALL_IN_TEXT = re.compile(
    r"<tool_call>|<\|tool_call|<function=|<\|python_tag\|>|\[TOOL_CALLS\]|```tool_c|<\uff5ctool"
    r"|\"name\"\s*:\s*\"[^\"\n]{1,64}\"\s*,\s*\"(arguments|parameters)\"\s*:"
)
_SEARCHED_CHARS = 20_000


@dataclass(frozen=True)
class Conversation:
    """What a model said. turns: the calls of each of its messages; text: what it said last, without its thought.

    open_end: its last message still calls.
    """

    turns: tuple[tuple[ToolCall, ...], ...]
    text: str
    open_end: bool

    @property
    def calls(self) -> list[ToolCall]:
        return [call for turn in self.turns for call in turn]

    @property
    def has_call_in_text(self) -> bool:
        """Whether the last text looks like a call that the server did not read."""
        return _CALL_IN_TEXT.search(self.text[:_SEARCHED_CHARS]) is not None


class ToolCase(Protocol):
    """One sample. Arguments of calls are the model's text, of any size and kind."""

    @property
    def id(self) -> str: ...

    @property
    def category(self) -> str: ...

    @property
    def prompt(self) -> Prompt: ...

    @property
    def expected_text(self) -> str:
        """What is right, in a line."""

    @property
    def most_turns(self) -> int:
        """How many requests it may take."""

    def results(self, transcript: Sequence[Message]) -> list[str] | None:
        """As `evaluation.loop.solver.Tools`."""

    def wrong(self, said: Conversation) -> str:
        """What is wrong with it, in a line; "" where it is right."""


def conversation(transcript: Sequence[Message]) -> Conversation:
    """Of a transcript that ends with the model's message."""
    own = [message for message in transcript if message.role == "assistant"]
    last = own[-1]
    return Conversation(
        turns=tuple(message.tool_calls for message in own),
        text=split_reasoning(last.content, last.reasoning).answer.strip(),
        open_end=bool(last.tool_calls),
    )
