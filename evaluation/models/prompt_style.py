"""Decide whether a model is asked in chat style or given a text to go on with. The score depends on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from evaluation.answers.endings import Ending, ending_of
from evaluation.answers.thoughts import split_reasoning, thinks_aloud
from evaluation.models.server_kind import has_no_template
from evaluation.protocols import PromptStyle, Request
from results.errors import ServerError, UsageError

if TYPE_CHECKING:
    from typing import Any

    from evaluation.models.openai_interface import OpenAIInterface
    from evaluation.protocols import Answer
    from settings.providers import ProviderFacts

_PROBE_TOKENS = 64
_LONG_PROBE_TOKENS = 512  # enough for most thoughts about a sum
RULE = (
    "chat, if the model, asked for a sum in a chat, ends its turn within "
    f"{_PROBE_TOKENS} tokens, thinks, or ends its turn within {_LONG_PROBE_TOKENS}; completion, if it does not, "
    "llama-server says that it has no chat template, or the server only completes texts"
)
FAMILY_RULE = "as the first model of its family in the sweep"
_PROBE = Request(
    task_id="probe",
    index=0,
    style=PromptStyle.CHAT,
    system="",
    user="What is 2 + 2? Answer with the number only.",
)
_SUM = "4"
_HINT = "give --prompt-style chat for a model that is made for chats, else --prompt-style completion"


class StyleChoice(msgspec.Struct, frozen=True, kw_only=True):
    """requested: what the user asked for; chosen: what is used; rule: how it was decided; observed: what was
    seen. opens_thought: an answer showed that the chat template opens a thought in every prompt. own: what this model
    would be asked in by itself, where its family in a sweep decides; "" where that isn't known.
    """

    requested: str
    chosen: PromptStyle
    rule: str = "asked for"
    observed: str = ""
    opens_thought: bool = False
    own: str = ""


async def choose_style(
    interface: OpenAIInterface, properties: dict[str, Any], *, family: PromptStyle | None = None
) -> StyleChoice:
    """Probe the model. It costs one short answer, and one longer one where that was cut and shows nothing.

    family: the style in which its family is asked, which is chosen then, whatever the probe shows. Raises ServerError
    where the server tells nothing and no family decides, and what `OpenAIInterface.probe` raises.
    """
    try:
        found = await _found_out(interface, properties)
    except ServerError as error:
        if family is None:
            raise
        return StyleChoice(requested="auto", chosen=family, rule=FAMILY_RULE, observed=error.message)
    if family is None:
        return found
    return msgspec.structs.replace(found, chosen=family, rule=FAMILY_RULE, own=str(found.chosen))


def chat_only(facts: ProviderFacts, asked: str, only: PromptStyle | None, benchmark: str) -> StyleChoice:
    """The style where a provider has only that. only: the benchmark's only style. Raises UsageError for another one."""
    wanted = only or asked
    if wanted not in {"auto", PromptStyle.CHAT}:
        raise UsageError(
            f"{facts.about} has no prompts of style {wanted}, only chats",
            hint="leave --prompt-style out" if only is None else f"{benchmark} needs a server of your own",
            settings=("prompt_style",),
        )
    return StyleChoice(requested=asked, chosen=PromptStyle.CHAT, rule=f"{facts.name} only has chats")


async def _found_out(interface: OpenAIInterface, properties: dict[str, Any]) -> StyleChoice:
    if has_no_template(properties):
        return _choice(PromptStyle.COMPLETION, "the server has no chat template")
    seen = ""
    for max_tokens in (_PROBE_TOKENS, _LONG_PROBE_TOKENS):
        answer = await interface.probe(_PROBE, max_tokens=max_tokens)
        if answer.error:
            seen = f"no chat answer: {answer.error}"
            if answer.refused and "token" in answer.error:
                continue  # some models that think refuse a limit that leaves them no room
            break
        observed = _sign_of_chat(answer)
        if observed:
            opens = split_reasoning(answer.text, answer.reasoning).implied
            return _choice(PromptStyle.CHAT, observed, opens_thought=opens)
        seen = _without_end(answer, max_tokens)
    if not answer.error and answer.text.strip():
        return _choice(PromptStyle.COMPLETION, seen)
    if answer.refused:
        completing = msgspec.structs.replace(_PROBE, style=PromptStyle.COMPLETION)
        completion = await interface.probe(completing, max_tokens=_PROBE_TOKENS)
        if not completion.error:
            return _choice(PromptStyle.COMPLETION, seen)
    raise ServerError(
        f"the probe did not show how the model is asked, so it needs --prompt-style: {seen}", hint=_HINT
    )


def _choice(chosen: PromptStyle, observed: str, *, opens_thought: bool = False) -> StyleChoice:
    return StyleChoice(
        requested="auto", chosen=chosen, rule=RULE, observed=observed, opens_thought=opens_thought
    )


def _sign_of_chat(answer: Answer) -> str:
    """What shows that the model knows turns; "" where nothing does."""
    spoken = split_reasoning(answer.text, answer.reasoning)
    hidden = not answer.text and (answer.generated_tokens or 0) > 1
    if spoken.reasoning or spoken.unclosed or spoken.implied or answer.reasoning_tokens or hidden:
        return "it began by thinking"
    if ending_of(answer.finish_reason) in {Ending.OWN, Ending.FILTER}:
        return f"it ended its turn after {_tokens(answer)}" if answer.text.strip() else ""
    if spoken.answer.strip(" \n.*") == _SUM:  # some servers call every end a limit
        return "it answered with the number only"
    return "it thinks aloud" if thinks_aloud(answer.text) else ""


def _without_end(answer: Answer, max_tokens: int) -> str:
    if not answer.text.strip():
        return "the answer in a chat was empty"
    generated = answer.generated_tokens
    within = generated if generated and generated < max_tokens else max_tokens
    return f"it did not end its turn within {within} tokens"


def _tokens(answer: Answer) -> str:
    count = answer.completion_tokens
    return "an unknown number of tokens" if count is None else f"{count} token{'s' * (count != 1)}"
