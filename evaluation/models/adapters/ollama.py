"""Reach a model of an Ollama daemon by its own API, which takes every parameter that it knows.

Its OpenAI-compatible API passes over num_ctx, top_k, min_p and others without a word.
https://github.com/ollama/ollama/blob/main/docs/api.md
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from evaluation.models.asked import asked_by
from evaluation.models.openai_interface import OpenAIInterface
from evaluation.models.replies import as_mapping, read_json
from evaluation.protocols import PromptStyle
from results.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evaluation.protocols import Request
    from results.messages import Message

_NOT_THERE = ("thinking_budget", "chat_template_kwargs")
_LIMIT = {"max_tokens": "num_predict"}  # of a probe, whose limit goes before the sampling's
_OUTSIDE = {"reasoning_effort", "parallel_tool_calls"}  # of the options


class OllamaInterface(OpenAIInterface):
    """Implements `Provider`. Everything else is as with an OpenAI-compatible server."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        given = self._parameters.sampling.given
        for name in _NOT_THERE:
            if name in given:
                raise UsageError(
                    f"Ollama has no {name} ({given[name]})",
                    hint="leave it out; --reasoning-effort none turns thinking off",
                )

    def _prompt(self, request: Request) -> tuple[str, dict[str, Any]]:
        if request.style is PromptStyle.COMPLETION:
            return "/api/generate", {"prompt": asked_by(request).text, "raw": True}
        body: dict[str, Any] = {"messages": [_sent(each) for each in asked_by(request).messages]}
        if request.tools:
            body["tools"] = request.tools
        if request.json_schema is not None and self.info.use_guided_json:
            body["format"] = request.json_schema
        return "/api/chat", body

    def _body(self, fields: Mapping[str, Any], prompt: Mapping[str, Any]) -> dict[str, Any]:
        body = super()._body({}, prompt)
        effort = fields.get("reasoning_effort")
        if effort is not None:
            body["think"] = effort if effort in {"low", "medium", "high"} else effort != "none"
        options = {_LIMIT.get(name, name): value for name, value in fields.items() if name not in _OUTSIDE}
        return {**body, "options": options}

    def _in_openais_form(self, raw: bytes) -> bytes:
        """The same answer as OpenAI's API has it; what is none stays as it is."""
        try:
            said = as_mapping(read_json(raw))
        except ValueError:
            return raw
        if not isinstance(said.get("message"), dict) and not isinstance(said.get("response"), str):
            return raw
        message = as_mapping(said.get("message"))
        choice = {
            "message": {
                "content": said.get("response", message.get("content")),
                "reasoning": said.get("thinking", message.get("thinking")),
                "tool_calls": message.get("tool_calls"),
            },
            "text": said.get("response"),
            "finish_reason": said.get("done_reason"),
        }
        usage = {
            "prompt_tokens": said.get("prompt_eval_count"),
            "completion_tokens": said.get("eval_count"),
        }
        return msgspec.json.encode({"choices": [choice], "usage": usage})


def _sent(message: Message) -> dict[str, Any]:
    """Arguments of calls are objects here, not texts."""
    found: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        found["tool_calls"] = [
            {"function": {"name": call.name, "arguments": _arguments(call.arguments)}}
            for call in message.tool_calls
        ]
    return found


def _arguments(text: str) -> dict[str, Any]:
    try:
        return as_mapping(json.loads(text))
    except (ValueError, RecursionError):
        return {}
