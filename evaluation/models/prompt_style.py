"""Decide whether a model is asked in chat style or given a text to go on with. The score depends on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from evaluation.answers.thoughts import split_reasoning
from evaluation.protocols import PromptStyle, Request

if TYPE_CHECKING:
    from typing import Any

    from evaluation.models.openai_interface import OpenAIInterface

RULE = (
    "chat, if the server has a chat template and the model, asked for a sum in a chat, ends its turn within "
    "64 tokens or begins by thinking; else completion"
)
_PROBE_TOKENS = 64
_PROBE = Request(
    task_id="probe",
    index=0,
    style=PromptStyle.CHAT,
    system="",
    user="What is 2 + 2? Answer with the number only.",
)


class StyleChoice(msgspec.Struct, frozen=True, kw_only=True):
    """requested: what the user asked for; chosen: what is used; rule: how it was decided; observed: what was
    seen.
    """

    requested: str
    chosen: PromptStyle
    rule: str = "asked for"
    observed: str = ""


async def choose_style(interface: OpenAIInterface, properties: dict[str, Any]) -> StyleChoice:
    """Probe the model. It costs one short answer."""

    def choice(chosen: PromptStyle, observed: str) -> StyleChoice:
        return StyleChoice(requested="auto", chosen=chosen, rule=RULE, observed=observed)

    if properties and not properties.get("chat_template"):
        return choice(PromptStyle.COMPLETION, "the server has no chat template")
    answer = await interface.probe(_PROBE, max_tokens=_PROBE_TOKENS)
    if answer.error:
        return choice(PromptStyle.COMPLETION, f"no chat answer: {answer.error}")
    spoken = split_reasoning(answer.text, answer.reasoning)
    if answer.finish_reason in {"stop", "eos", "eos_token"}:
        return choice(PromptStyle.CHAT, f"it ended its turn after {answer.completion_tokens} tokens")
    if spoken.reasoning:
        return choice(PromptStyle.CHAT, "it began by thinking")
    return choice(PromptStyle.COMPLETION, f"it did not end its turn within {_PROBE_TOKENS} tokens")
