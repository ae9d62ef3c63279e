"""Reach a model by Anthropic's Messages API.

Its OpenAI-compatible layer passes over what it lacks without a word, and is not meant for production.
https://platform.claude.com/docs/en/api/messages/create
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from evaluation.models.adapters.anthropic_messages import (
    in_openais_form,
    sent_prompt,
    sent_stops,
    sent_tools,
    thinking_of,
    turn_with_calls,
)
from evaluation.models.asked import asked_by
from evaluation.models.failures import Refused
from evaluation.models.openai_interface import OpenAIInterface
from evaluation.protocols import PromptStyle
from results.errors import UsageError
from settings.providers import require_taken

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evaluation.models.adapters.anthropic_messages import Block
    from evaluation.protocols import Request

_MOST_TURNS = 4096  # of conversations that are under way


class AnthropicInterface(OpenAIInterface):
    """Implements `Provider`. Answers are read as those of OpenAI's API, once they are in its form.

    Raises UsageError for what was asked for and the API does not have.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        sampling = self._parameters.sampling
        require_taken("anthropic", {name: getattr(sampling, name) for name in sampling.given})
        self._thinking = thinking_of(sampling.thinking_budget, sampling.reasoning_effort)
        if self._thinks and sampling.temperature != 1:
            self._parameters.leave_out(["temperature"], "its models think at their own")
        self._said: OrderedDict[str, list[Block]] = OrderedDict()

    @property
    def _thinks(self) -> bool:
        return self._thinking is not None and self._thinking["type"] != "disabled"

    def _prompt(self, request: Request) -> tuple[str, dict[str, Any]]:
        if request.style is PromptStyle.COMPLETION:
            raise UsageError("Anthropic's API takes chats only", hint="take --prompt-style chat")
        body = sent_prompt(asked_by(request).messages, self._said)
        if request.tools:
            body["tools"] = sent_tools(request.tools)
        if request.json_schema is not None and self.info.use_guided_json:
            body["output_config"] = {"format": {"type": "json_schema", "schema": request.json_schema}}
        return f"{self.info.api_path}/messages", body

    def _values(self, request: Request) -> dict[str, Any]:
        stops = sent_stops(request.stop)[: self.supports.most_stops]
        effort = request.sampling.reasoning_effort
        found = {
            "stop_sequences": stops or None,
            "thinking": self._thinking,
            "output_config": None if effort in {None, "none"} else {"effort": effort},
        }
        return {name: value for name, value in found.items() if value is not None}

    def _body(self, fields: Mapping[str, Any], prompt: Mapping[str, Any]) -> dict[str, Any]:
        found = {name: value for name, value in fields.items() if not _is_plain(name, value)}
        thinking = found.get("thinking")
        if thinking and thinking.get("budget_tokens", 0) >= found.get("max_tokens", 0):
            del found["thinking"]  # a short probe has no room for it
        config = {**found.pop("output_config", {}), **prompt.get("output_config", {})}
        return {
            "model": self.info.model,
            **found,
            **prompt,
            **({"output_config": config} if config else {}),
        }

    def _in_openais_form(self, raw: bytes) -> bytes:
        turn = turn_with_calls(raw)
        if turn is not None:
            self._said[turn[0]] = turn[1]
            if len(self._said) > _MOST_TURNS:
                self._said.popitem(last=False)
        return in_openais_form(raw)

    async def _ask(self, request: Request, own: Mapping[str, Any], *, needs: str = "") -> tuple[bytes, float]:
        try:
            return await super()._ask(request, own, needs=needs)
        except Refused as refusal:
            effort = request.sampling.reasoning_effort
            if effort not in {None, "none"} and "effort" in str(refusal):
                raise UsageError(
                    f"the model refuses --reasoning-effort {effort}: {refusal}",
                    hint="take --thinking-budget, or leave it out",
                ) from refusal
            raise


def _is_plain(name: str, value: Any) -> bool:
    """Whether it is a setting as it was asked for, of which `_values` makes the field, or `none` of it."""
    return name in {"thinking", "output_config"} and not isinstance(value, dict)
