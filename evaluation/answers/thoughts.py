"""Put aside what a model only thought, so that drafts are never taken for its answer."""

from __future__ import annotations

import re
from typing import NamedTuple

# The tags of DeepSeek R1, Qwen 3 and their descendants, and the variants seen in other templates.
_OPEN = re.compile(r"<(think|thinking|thought|reasoning)>", re.IGNORECASE)
_CLOSE = re.compile(r"</(think|thinking|thought|reasoning)>", re.IGNORECASE)


class Spoken(NamedTuple):
    """answer: what was said; reasoning: what was thought; unclosed: the thought was cut, nothing was said."""

    answer: str
    reasoning: str
    unclosed: bool


def split_reasoning(text: str, reasoning: str = "") -> Spoken:
    """Split an answer at its thoughts; `reasoning` is what the server has already put aside.

    A thought stands at the beginning: several in a row are all put aside, and a closing tag without an
    opening one counts too, since many templates put the opening tag into the prompt. A tag further behind, in
    the code or the prose of an answer, is text like any other.
    """
    thoughts = [reasoning] if reasoning else []
    rest = text
    closing = _CLOSE.search(rest)
    if closing and not _OPEN.search(rest, 0, closing.start()):
        thoughts.append(rest[: closing.start()].strip())
        rest = rest[closing.end() :]
    while opening := _OPEN.match(rest.lstrip()):
        thought = rest.lstrip()[opening.end() :]
        closing = _CLOSE.search(thought)
        if closing is None:
            return Spoken("", "\n".join([*thoughts, thought.strip()]), unclosed=True)
        thoughts.append(thought[: closing.start()].strip())
        rest = thought[closing.end() :]
    return Spoken(rest, "\n".join(thoughts), unclosed=False)
