"""What reflectors are asked, and what of their replies becomes a prompt."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evaluation.answers.thoughts import split_reasoning
from results.plain_text import in_unicode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Record = Mapping[str, str]

MOST_CHARS = 16_000  # of an instruction: a longer one is a reply gone wrong, and dear with every sample
_SHOWN_CHARS = 1_500  # of a question, an answer and its feedback each
_FENCED = re.compile(r"^[ \t]*(`{3,})[^\n`]*\n(.*?)^[ \t]*\1[ \t]*$", re.DOTALL | re.MULTILINE)
_UNCLOSED = re.compile(r"^[ \t]*`{3,}[^\n`]*\n", re.MULTILINE)
_NUMBERED = re.compile(r"^[ \t>*-]*(\d+)[ \t]*[.:)\]-]+[ \t]*(.+)$", re.MULTILINE)

_TASK = (
    "You improve the instruction that a language model is given before each task. It must work for all tasks of this "
    "kind, so do not mention a single task or its answer."
)
_ONE = "Write the new instruction between lines of three backticks, and nothing else."


def fenced(text: str) -> str:
    """The text between lines of backticks, more of them than it has itself."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def shortened(text: str, most: int = _SHOWN_CHARS) -> str:
    """Its beginning and its end."""
    if len(text) <= most:
        return text
    return f"{text[: most // 2]}\n[...]\n{text[-(most // 2) :]}"


def shown(records: Sequence[Record]) -> str:
    """Samples as the reflector sees them."""
    parts = []
    for number, record in enumerate(records, 1):
        lines = [f"Task {number}: {record['Inputs']}", f"Answer: {record['Generated Outputs']}"]
        if record.get("Feedback"):
            lines.append(f"Feedback: {record['Feedback']}")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def edit_request(current: str, records: Sequence[Record]) -> str:
    """To write a better instruction, given how the current one went."""
    return (
        f"{_TASK}\n\nThe current instruction:\n{fenced(current)}\n\n"
        f"How the model did with it:\n\n{shown(records)}\n\n"
        f"Change the instruction so that such mistakes are avoided. {_ONE}"
    )


def cause_edit_request(current: str, cause: str, records: Sequence[Record]) -> str:
    """To write an instruction that avoids one kind of mistake."""
    return (
        f"{_TASK}\n\nThe current instruction:\n{fenced(current)}\n\n"
        f"Mistakes of one kind are made with it: {cause}\nThese are some:\n\n{shown(records)}\n\n"
        f"Change the instruction so that mistakes of this kind are avoided, and keep what works. {_ONE}"
    )


def several_request(
    current: str, records: Sequence[Record], history: Sequence[tuple[str, float]], count: int
) -> str:
    """To write several new instructions. history: earlier ones with their scores, 0 to 1."""
    earlier = "\n\n".join(f"Score {score * 100:.1f} of 100:\n{fenced(text)}" for text, score in history)
    return (
        f"{_TASK}\n\nThe current instruction:\n{fenced(current)}\n\n"
        + (
            f"Earlier instructions, and how many tasks were solved with them:\n\n{earlier}\n\n"
            if earlier
            else ""
        )
        + f"How the model did with the current one:\n\n{shown(records)}\n\n"
        f"Write {count} new instructions that differ from each other and from the earlier ones, each between lines of "
        "three backticks, and nothing else."
    )


def mutation_request(current: str, records: Sequence[Record]) -> str:
    """To vary an instruction in one respect."""
    return (
        f"{_TASK}\n\nAn instruction:\n{fenced(current)}\n\nHow the model did with one like it:\n\n{shown(records)}\n\n"
        f"Write a variant that differs in one respect that may matter. {_ONE}"
    )


def crossover_request(first: str, second: str) -> str:
    """To join two instructions."""
    return (
        f"{_TASK}\n\nTwo instructions that both work:\n{fenced(first)}\n\n{fenced(second)}\n\n"
        f"Write one that joins the strengths of both. {_ONE}"
    )


def causes_request(records: Sequence[Record]) -> str:
    """To name why each answer is wrong."""
    return (
        "A language model solved these tasks wrongly.\n\n"
        f"{shown(records)}\n\n"
        "Name the cause of each mistake in a few words that could be said of other tasks as well. One line a task: its "
        "number, a colon, the cause."
    )


def groups_request(causes: Sequence[str], most: int) -> str:
    """To group causes that are worded differently."""
    listed = "\n".join(f"{number}: {cause}" for number, cause in enumerate(causes, 1))
    return (
        f"Causes of mistakes of a language model:\n\n{listed}\n\nPut them into at most {most} groups of the same kind. "
        "One line a cause: its number, a colon, the name of its group."
    )


def instructions_in(reply: str, most: int = 1) -> list[str]:
    """What stands between fences; the whole reply where there are none. Without empty ones and too long ones."""
    said = in_unicode(split_reasoning(reply).answer)
    found = [match[2] for match in _FENCED.finditer(said)]
    if not found:
        found = [_UNCLOSED.sub("", said, count=1)]  # it was cut, or never fenced
    usable = [text.strip() for text in found]
    return [text for text in usable if text and len(text) <= MOST_CHARS][:most]


def numbered_lines(reply: str, count: int) -> dict[int, str]:
    """By their number, from 1 to count, the first of each."""
    found: dict[int, str] = {}
    for match in _NUMBERED.finditer(in_unicode(split_reasoning(reply).answer)):
        number = int(match[1]) if len(match[1]) < 6 else 0
        if 1 <= number <= count:
            found.setdefault(number, match[2].strip()[:200])
    return found
