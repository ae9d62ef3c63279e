"""The texts of one answer as a page shows them: bounded, coloured, and each to be had whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.messages import Message, said_by_model
from results.views.answer_text import answer_of, is_code, thought_of
from web.pages.answers.code import Shown, parts, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from results.prompts.sent_prompts import SentPrompt
    from results.records import Completion

ROOM_BYTES = 22_000  # of HTML for one text; a page of 120 kB has room for four and what stands around them
TALK_BYTES = 60_000  # for all messages of a conversation
PARTS = ("prompt", "thought", "answer", "code", "conversation")


@dataclass(frozen=True)
class Block:
    """A text, or a fenced piece of one. language: "" for prose. again: it is the code that was executed."""

    shown: Shown
    language: str
    again: bool = False


@dataclass(frozen=True)
class Text:
    """A text of an answer. part: its name in `?part=`; "" where it can't be had by itself. left_out: characters."""

    part: str
    blocks: tuple[Block, ...]
    chars: int
    left_out: int = 0

    @property
    def lines(self) -> int:
        return sum(len(block.shown.lines) for block in self.blocks)


@dataclass(frozen=True)
class Call:
    """A tool that the model called. arguments: as it wrote them."""

    name: str
    arguments: Text


@dataclass(frozen=True)
class Turn:
    """One message. role: who said it. left_out: whether there was no room for it."""

    role: str
    thought: Text | None
    said: Text | None
    calls: tuple[Call, ...]
    left_out: bool = False


def text_of(
    text: str,
    part: str = "",
    *,
    language: str | None = None,
    most_bytes: int = ROOM_BYTES,
    executed: str = "",
) -> Text:
    """A text with its fenced code in colours. language: of all of it, if it has no fences. executed: code that stands
    elsewhere on the page.
    """
    pieces = (
        [(text, language)] if language is not None else [(each.text, each.language) for each in parts(text)]
    )
    blocks: list[Block] = []
    room, kept = most_bytes, 0
    for piece, of in pieces:
        if room < 200:
            break
        block = shown(piece, of, most_bytes=room)
        blocks.append(Block(block, of, bool(of) and piece.strip() == executed.strip() != ""))
        room -= sum(len(line.encode()) + 1 for line in block.lines)
        kept += len(piece) - block.left_out
    whole = sum(len(piece) for piece, _ in pieces)
    return Text(part, tuple(blocks), len(text), whole - kept)


def turns(messages: Iterable[Message], *, most_bytes: int = TALK_BYTES) -> tuple[Turn, ...]:
    """A conversation. Every turn is there; those behind the room are so without their texts."""
    made: list[Turn] = []
    room = most_bytes
    for message in messages:
        each = min(ROOM_BYTES, room)
        if each < 300:
            made.append(Turn(message.role, None, None, (), left_out=True))
            continue
        thought = text_of(message.reasoning, most_bytes=each // 3) if message.reasoning.strip() else None
        empty = not message.content.strip()
        said = None if empty and message.tool_calls else text_of(message.content, most_bytes=each)
        calls = tuple(
            Call(call.name or "(not a call)", text_of(call.arguments, language="json", most_bytes=each // 3))
            for call in message.tool_calls[:20]
        )
        made.append(Turn(message.role, thought, said, calls))
        room -= sum(map(_size, (thought, said, *(call.arguments for call in calls)))) + 200
    return tuple(made)


def whole_text(part: str, completion: Completion, prompt: SentPrompt | None) -> str | None:
    """A part of an answer, all of it. None: there is none."""
    if part == "prompt" and prompt is not None:
        return prompt.text or "\n\n".join(f"{each.role}:\n{each.content}" for each in prompt.messages)
    if part == "code" and is_code(completion):
        return completion.completion
    found = {
        "thought": thought_of(completion),
        "answer": answer_of(completion),
        "conversation": said_by_model(completion.transcript),
    }
    return found.get(part) or None


def _size(text: Text | None) -> int:
    return (
        0 if text is None else sum(len(line.encode()) for block in text.blocks for line in block.shown.lines)
    )
