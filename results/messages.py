"""Messages of a chat as they are kept: what was asked, said, called, and given back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call that a model asked for. arguments: JSON as the model wrote it, right or wrong.

    id: of the server; empty where it gave none. An empty name: what should be a call could not be read as one.
    """

    id: str = ""
    name: str
    arguments: str = ""


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """role: system, user, assistant or tool. tool_call_id: of a tool's result, the call that it answers.

    reasoning: what the model thought before it, where the server put that aside; it is not sent back.
    """

    role: str
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    reasoning: str = ""


def call_text(call: ToolCall) -> str:
    """In a line: `get_weather({"city": "Paris"})`."""
    return f"{call.name or '(not a call)'}({' '.join(call.arguments.split())})"


def said_by_model(transcript: Iterable[Message]) -> str:
    """All that the model wrote in a conversation, one thought, text or call a line."""
    lines = []
    for message in transcript:
        if message.role == "assistant":
            lines += [message.reasoning, message.content, *map(call_text, message.tool_calls)]
    return "\n".join(filter(None, lines))
