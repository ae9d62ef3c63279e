"""Which program serves the model, as far as it says so, and what follows for its user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evaluation.models.replies import as_mapping, read_json

if TYPE_CHECKING:
    from collections.abc import Mapping

# `owned_by` in the list of models, in lower case, and what gives that server a larger context.
_LARGER_CONTEXT = {
    "llamacpp": "raise --ctx-size",
    "vllm": "raise --ctx-size (--max-model-len of vLLM)",
    "sglang": "raise --context-length of SGLang",
    "library": "raise OLLAMA_CONTEXT_LENGTH, or num_ctx of the model",
    "organization_owner": "load the model with a longer context in LM Studio",
    "koboldcpp": "raise --contextsize of KoboldCpp",
    "tabbyapi": "raise max_seq_len of TabbyAPI",
    "lmdeploy": "raise --session-len of LMDeploy",
}
NO_TOOLS_SHOWN = (
    "the model's chat template has no place for tools, so it never saw them and the score only tells how it answers "
    "without: take a model that knows tools, or give a template that does with --chat-template-file"
)
_UNKNOWN = "raise --ctx-size"
_ELSEWHERE = "the context of the provider is full; a shorter prompt or another model leaves more room"


def owner_of(raw: bytes) -> str:
    """`owned_by` of the first model in the list of models; "" where nobody says so."""
    try:
        models = as_mapping(read_json(raw)).get("data")
    except ValueError:
        return ""
    owner = as_mapping(models[0]).get("owned_by") if isinstance(models, list) and models else None
    return owner.lower()[:100] if isinstance(owner, str) else ""


def larger_context(owner: str, properties: Mapping[str, Any], *, is_local: bool) -> str:
    """What to try where the context is too small. owner: see `owner_of`."""
    if owner in _LARGER_CONTEXT:
        return _LARGER_CONTEXT[owner]
    if is_local or isinstance(properties.get("default_generation_settings"), dict):
        return _UNKNOWN
    return _ELSEWHERE


def shows_no_tools(properties: Mapping[str, Any]) -> bool:
    """Whether llama-server says that the model's chat template has no place for tools, which it then leaves out."""
    return as_mapping(properties.get("chat_template_caps")).get("supports_tools") is False


def has_no_template(properties: Mapping[str, Any]) -> bool:
    """Whether llama-server says that its model has no chat template.

    Only an empty text says so. A missing one, null, a router in front of several models, and the answers of other
    servers at the same path (KoboldCpp's has the template of its file, if any, and chats without it) say nothing.
    """
    template = properties.get("chat_template")
    others = {"error", "id_task"} & properties.keys()
    return (
        isinstance(template, str)
        and not template.strip()
        and not others
        and properties.get("role") != "router"
    )
