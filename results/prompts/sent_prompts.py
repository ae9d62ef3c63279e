"""`prompts.jsonl`: every prompt of a run as it was sent, one line a sample; completions name theirs by its hash."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from results.durable import explained, replace_file
from results.files import open_to_read, read_file
from results.json_text import NOT_THAT_JSON, as_json_keeps, encode
from results.messages import Message  # noqa: TC001 - a field: msgspec reads it at run time

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PROMPTS_NAME = "prompts.jsonl"


class SentPrompt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one sample asked the model. messages: of a chat; else text: what it was given to go on with. tools: that it
    could call, in the form of OpenAI's API.

    sha256: of the messages, or of the text, as JSON; of both messages and tools where there are tools.
    """

    task_id: str
    sha256: str
    messages: tuple[Message, ...] = ()
    text: str = ""
    tools: tuple[dict[str, Any], ...] = ()


def sent_prompt(
    task_id: str, asked: tuple[Message, ...] | str, tools: tuple[dict[str, Any], ...] = ()
) -> SentPrompt:
    """asked: the messages of a chat, or the text to go on with."""
    asked = as_json_keeps(asked) if isinstance(asked, str) else asked
    sha256 = hashlib.sha256(encode([asked, tools] if tools else asked)).hexdigest()
    if isinstance(asked, str):
        return SentPrompt(task_id=task_id, sha256=sha256, text=asked)
    return SentPrompt(task_id=task_id, sha256=sha256, messages=asked, tools=tools)


def write_prompts(folder: Path, prompts: Iterable[SentPrompt]) -> None:
    """Write them all, before the first completion names one; nothing where the same are there. Raises ResultsError."""
    path = folder / PROMPTS_NAME
    data = b"".join(encode(prompt) + b"\n" for prompt in prompts)
    with explained("write", path):
        if data and not (path.exists() and read_file(path) == data):
            replace_file(path, data)


def read_prompts(folder: Path) -> dict[str, SentPrompt]:
    """By the sample's id. Empty for a run of a version, or of a script, that kept none. Raises ResultsError."""
    path = folder / PROMPTS_NAME
    found = {}
    with explained("read", path):
        try:
            lines = open_to_read(path)
        except FileNotFoundError:
            return {}
        with lines:
            for line in lines:
                try:
                    prompt = msgspec.json.decode(line, type=SentPrompt)
                except NOT_THAT_JSON:
                    continue
                found[prompt.task_id] = prompt
    return found
