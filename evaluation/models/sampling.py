"""How answers are drawn and what surrounds a prompt, and what a server calls each of these settings."""

from __future__ import annotations

import enum
from collections.abc import Mapping  # noqa: TC003 - a struct reads its types at run time
from types import MappingProxyType
from typing import Any

import msgspec

from results.errors import UsageError
from settings.sampling_rules import require_room
from settings.sampling_settings import SAMPLING_SETTINGS
from settings.values import read_value


class Dialect(enum.Enum):
    """Whose names a server has for what OpenAI's API lacks. The value maps each setting that differs to its name."""

    # llama.cpp b11434: tools/server/server-schema.cpp, and server-common.cpp for the budget
    LLAMA_CPP = MappingProxyType({"thinking_budget": "thinking_budget_tokens"})
    # vLLM 0.32: entrypoints/openai/chat_completion/protocol.py; most other servers have its names
    VLLM = MappingProxyType(
        {"repeat_penalty": "repetition_penalty", "thinking_budget": "thinking_token_budget"}
    )
    # https://github.com/ollama/ollama/blob/main/docs/modelfile.md: the options of its own API
    OLLAMA = MappingProxyType({"max_tokens": "num_predict"})
    # The fields of Anthropic's Messages API that are made of these
    ANTHROPIC = MappingProxyType({"thinking_budget": "thinking", "reasoning_effort": "output_config"})


class RequestSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All that a user sets of a request, which is also what a run's completions are bound to.

    None: not sent, so that the server's own default holds. seed: of the run; each request gets its own from it.
    system_prompt: stands before the task's own system text.
    """

    temperature: float = 0.0
    max_tokens: int = 1024
    seed: int | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repeat_penalty: float | None = None
    presence_penalty: float | None = None
    reasoning_effort: str | None = None
    thinking_budget: int | None = None
    system_prompt: str | None = None
    chat_template_kwargs: dict[str, Any] | None = None


SETTINGS = RequestSettings.__struct_fields__
_NUMBERS = [row for row in SAMPLING_SETTINGS if row.name in SETTINGS and row.is_numeric]


class Sampling(RequestSettings, frozen=True, kw_only=True):
    """The settings of a request, checked.

    given: what was asked for, by the word that asked, such as {"top_p": "--top-p"}. A server that refuses one of these
    ends the run; any other is a default, and is left out when it is refused. Raises UsageError for a value out of
    range.
    """

    given: Mapping[str, str] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        for row in _NUMBERS:
            try:
                read_value(row, getattr(self, row.name))
            except UsageError as error:
                raise UsageError(f"{row.name}: {error.message}") from None
        require_room(self.thinking_budget, self.max_tokens)

    def system(self, text: str) -> str:
        """The system text of a request: the one that was asked for, then the task's own."""
        return "\n\n".join(filter(None, (self.system_prompt, text)))

    def settings(self) -> dict[str, Any]:
        """Each by its name, those that are not sent included."""
        return {name: getattr(self, name) for name in SETTINGS}

    def parameters(self, dialect: Dialect) -> dict[str, Any]:
        """What goes into a request's body as it is, by the server's names."""
        return {
            dialect.value.get(name, name): value
            for name, value in self.settings().items()
            if value is not None and name not in {"seed", "system_prompt"}
        }
