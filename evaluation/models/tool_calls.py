"""Calls of tools: read out of an answer, in whichever shape a server has them, and sent back to it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from results.json_text import as_json_keeps
from results.messages import ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterable

    from results.messages import Message

MOST_CALLS = 1000  # in one answer; what follows is passed over


def read_tool_calls(message: object) -> tuple[ToolCall, ...]:
    """The calls in the message of a chat; () where there are none. A call that can't be read has no name.

    OpenAI's list, with the arguments as a text or, as some servers have them, as the object itself; calls without the
    wrapping `function` and without an id; and the single `function_call` of OpenAI's first API.
    """
    if not isinstance(message, dict):
        return ()
    calls = message.get("tool_calls")
    if not calls:
        calls = message.get("function_call")
    if isinstance(calls, dict):
        calls = [calls]
    if not isinstance(calls, list):
        return ()
    return tuple(_read(call) for call in calls[:MOST_CALLS])


def written_out(calls: Iterable[ToolCall]) -> str:
    """Calls as a model writes them into its text, for a request that offered no tools."""
    return "\n".join(map(_written, calls))


def sent_messages(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Messages in the form of OpenAI's API."""
    return [_sent(message) for message in messages]


def _read(call: object) -> ToolCall:
    if not isinstance(call, dict):
        return ToolCall(name="", arguments=_text(call))
    function = call.get("function")
    inner = function if isinstance(function, dict) else call
    name = inner.get("name", function if isinstance(function, str) else None)
    given = inner.get("arguments", inner.get("parameters"))
    if not isinstance(name, str) or not name:
        return ToolCall(id=_name(call.get("id")), name="", arguments=_text(call))
    # No arguments at all, as for a tool that takes none, are an empty object.
    arguments = "{}" if given is None or given == "" else given if isinstance(given, str) else _text(given)
    return ToolCall(id=_name(call.get("id")), name=_name(name), arguments=as_json_keeps(arguments))


def _written(call: ToolCall) -> str:
    try:
        given = json.loads(call.arguments)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):  # the program itself, as gpt-oss calls its interpreter
        return given if isinstance(given, str) else call.arguments
    return _text({"name": call.name, "arguments": given})


def _name(value: object) -> str:
    return as_json_keeps(value)[:1000] if isinstance(value, str) else ""


def _text(value: object) -> str:
    """As JSON."""
    try:
        return str(as_json_keeps(json.dumps(value, ensure_ascii=False)))
    except (ValueError, RecursionError):
        return ""


def _sent(message: Message) -> dict[str, Any]:
    found: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        found["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id:
        found["tool_call_id"] = message.tool_call_id
    return found
