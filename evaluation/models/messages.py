"""What a model said and what it thought, out of the message of an answer, in whichever shape a server has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# llama-server, SGLang, DeepSeek; vLLM, OpenRouter, gpt-oss; Ollama; GitHub; LiteLLM; proxies.
_THOUGHT_FIELDS = (
    "reasoning_content",
    "reasoning",
    "thinking",
    "reasoning_text",
    "thinking_blocks",
    "reasoning_details",
    "reasoning_summary",
    "thinking_content",
    "thoughts",
    "thought",
)
_THOUGHTS = ("think", "thought", "reason", "analysis")  # in the type of a part
# Where a part has its text: the name of its type first. A text may be parts again.
_TEXTS = ("text", "content", "refusal", "value", "summary", *_THOUGHT_FIELDS)
_DEEPEST = 20


class Said(NamedTuple):
    """text: the answer; reasoning: the thought that the server has put aside."""

    text: str
    reasoning: str


def read_message(message: object) -> Said:
    """Of the message of a chat, or of a choice that holds the text itself.

    The content is a text, one part, or a list of parts: texts, thoughts, refusals. Raises TypeError for what is none.
    """
    if isinstance(message, str):
        return Said(message, "")
    if not isinstance(message, dict):
        raise TypeError("no message")
    content = message.get("content", message.get("text"))
    if isinstance(content, dict) and not _is_part(content):
        raise TypeError("no text")
    if not isinstance(content, str | list | dict | None):
        raise TypeError("no text")
    texts: list[str] = []
    thoughts: list[str] = []
    for is_thought, text in _parts(content, is_thought=False):
        (thoughts if is_thought else texts).append(text)
    if not any(texts):  # OpenAI's models refuse in a field of its own
        texts = [text for _, text in _parts(message.get("refusal"), is_thought=False)]
    aside = (_joined(message[field]) for field in _THOUGHT_FIELDS if field in message)
    return Said("".join(texts), next(filter(None, aside), "") or "".join(thoughts))


def _joined(value: object) -> str:
    return "".join(text for _, text in _parts(value, is_thought=True))


def _parts(value: object, *, is_thought: bool, depth: int = 0) -> Iterator[tuple[bool, str]]:
    """Every text in it, and whether it is a thought."""
    if isinstance(value, str):
        yield is_thought, value
    elif depth > _DEEPEST:
        return
    elif isinstance(value, list):
        for each in value:
            yield from _parts(each, is_thought=is_thought, depth=depth + 1)
    elif isinstance(value, dict):
        kind = str(value.get("type", ""))
        thought = is_thought or any(word in kind for word in _THOUGHTS) or value.get("thought") is True
        yield from _parts(_text_of(value, kind), is_thought=thought, depth=depth + 1)


def _text_of(part: Mapping[str, Any], kind: str) -> object:
    return next((part[name] for name in (kind, *_TEXTS) if part.get(name)), None)


def _is_part(value: Mapping[str, Any]) -> bool:
    return any(isinstance(value.get(name), str | list | dict) for name in _TEXTS)
