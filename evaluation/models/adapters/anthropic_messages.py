"""Prompts and answers of Anthropic's Messages API, from and to the form of OpenAI's.

https://platform.claude.com/docs/en/api/messages/create
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from evaluation.models.replies import as_mapping, read_json
from results.json_text import whole_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from evaluation.protocols import Tool
    from results.messages import Message

Block = dict[str, Any]


def sent_prompt(messages: Sequence[Message], said: Mapping[str, list[Block]]) -> dict[str, Any]:
    """`system` and `messages` of a request. said: turns of the model as it gave them, by the id of their first call.

    The results of all calls of a turn go into one message of the user. A turn that holds calls goes back as it came,
    since thoughts in it are signed.
    """
    system = "\n\n".join(each.content for each in messages if each.role == "system" and each.content)
    turns: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "system":
            continue
        role = "assistant" if message.role == "assistant" else "user"
        blocks = _blocks(message, said)
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    for turn in turns:
        if len(turn["content"]) == 1 and turn["content"][0]["type"] == "text":
            turn["content"] = turn["content"][0]["text"]
    return {**({"system": system} if system else {}), "messages": turns}


def sent_tools(tools: Iterable[Tool]) -> list[dict[str, Any]]:
    """The tools that a model may call."""
    return [_tool(as_mapping(tool.get("function"))) for tool in tools]


def sent_stops(stops: Iterable[str]) -> list[str]:
    """Those that it takes: of more than blanks. The task cuts at the others itself."""
    return [stop for stop in stops if stop.strip()]


def thinking_of(budget: int | None, effort: str | None) -> dict[str, Any] | None:
    """`thinking` of a request; None: the model's default. budget: in tokens, 0 for none."""
    if budget == 0 or effort == "none":
        return {"type": "disabled"}
    if budget is not None:
        return {"type": "enabled", "budget_tokens": budget}
    return None if effort is None else {"type": "adaptive"}


def in_openais_form(raw: bytes) -> bytes:
    """The same answer as OpenAI's API has it; what is none stays as it is."""
    try:
        said = as_mapping(read_json(raw))
    except ValueError:
        return raw
    blocks = _mappings(said.get("content"))
    if said.get("type") != "message" or blocks is None:
        return raw
    message: dict[str, Any] = {
        "role": "assistant",
        "content": _joined(blocks, "text"),
        "reasoning_content": _joined(blocks, "thinking"),
    }
    calls = [_call(block) for block in blocks if block.get("type") == "tool_use"]
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "finish_reason": said.get("stop_reason")}
    return json.dumps({"choices": [choice], "usage": _usage(as_mapping(said.get("usage")))}).encode()


def turn_with_calls(raw: bytes) -> tuple[str, list[Block]] | None:
    """The id of the first call of an answer, and the answer's blocks; None where it calls nothing."""
    try:
        blocks = _mappings(as_mapping(read_json(raw)).get("content"))
    except ValueError:
        return None
    first = next((block.get("id") for block in blocks or () if block.get("type") == "tool_use"), None)
    return (first, blocks) if isinstance(first, str) and first and blocks else None


def _blocks(message: Message, said: Mapping[str, list[Block]]) -> list[Block]:
    if message.role == "tool":
        return [{"type": "tool_result", "tool_use_id": message.tool_call_id, "content": message.content}]
    if message.tool_calls:
        turn = said.get(message.tool_calls[0].id, [])
        if [_key(block) for block in turn if block.get("type") == "tool_use"] == [
            (call.id, call.name, call.arguments) for call in message.tool_calls
        ]:
            return list(turn)
    text = [{"type": "text", "text": message.content}] if message.content or not message.tool_calls else []
    calls = [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": _input(call.arguments)}
        for call in message.tool_calls
    ]
    return [*text, *calls]


def _tool(function: Mapping[str, Any]) -> dict[str, Any]:
    found = {"name": function.get("name"), "description": function.get("description")}
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    return {**{name: value for name, value in found.items() if value}, "input_schema": schema}


def _input(arguments: str) -> dict[str, Any]:
    try:
        return as_mapping(read_json(arguments.encode("utf-8", "replace")))
    except ValueError:
        return {}


def _call(block: Block) -> dict[str, Any]:
    function = {"name": block.get("name"), "arguments": json.dumps(block.get("input"), ensure_ascii=False)}
    return {"id": block.get("id"), "type": "function", "function": function}


def _key(block: Block) -> tuple[Any, Any, str]:
    call = _call(block)
    return call["id"], call["function"]["name"], call["function"]["arguments"]


def _joined(blocks: Iterable[Block], kind: str) -> str:
    texts = (block.get(kind) for block in blocks if block.get("type") == kind)
    return "".join(text for text in texts if isinstance(text, str))


def _usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    """The prompt's tokens are those that were read, and those of the cache, which are counted apart."""
    read = whole_number(usage.get("input_tokens"))
    cached = (usage.get(f"cache_{way}_input_tokens") for way in ("creation", "read"))
    found: dict[str, Any] = {
        "prompt_tokens": None if read is None else read + sum(whole_number(count) or 0 for count in cached),
        "completion_tokens": usage.get("output_tokens"),
    }
    thought = as_mapping(usage.get("output_tokens_details")).get("thinking_tokens")
    if thought is not None:
        found["completion_tokens_details"] = {"reasoning_tokens": thought}
    return found


def _mappings(value: object) -> list[Block] | None:
    """A list of mappings; None for what is none."""
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        return None
    return value
