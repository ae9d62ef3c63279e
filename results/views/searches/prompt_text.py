"""The prompt that a search found, as its file has it now: where it comes from, and what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from results.errors import BenchError
from results.prompts.prompt_file import PROMPT_NAME, PromptText, read_prompt_file

if TYPE_CHECKING:
    from pathlib import Path

    from results.prompts.optimisation import Optimisation
    from results.prompts.prompt_file import Lineage

_SHOWN_OF_A_HASH = 8


class KeptPrompt(NamedTuple):
    """doubt: why the file can't be read, or isn't what the search found; "" if all is well, and only then is there a
    text.
    """

    prompt: PromptText
    lineage: str
    doubt: str


def kept_prompt(folder: Path, end: Optimisation) -> KeptPrompt:
    """That of the search whose run has this folder."""
    try:
        kept = read_prompt_file(folder / PROMPT_NAME)
    except BenchError:
        return KeptPrompt(PromptText(), "", f"its {PROMPT_NAME} is gone or can't be read")
    if kept.prompt.sha256 != end.prompt_sha256 or kept.gain != end.gain:
        return KeptPrompt(
            PromptText(), "", f"its {PROMPT_NAME} was changed after the search; it isn't what was tested"
        )
    return KeptPrompt(kept.prompt, _lineage(kept.lineage) if kept.lineage is not None else "", "")


def _lineage(lineage: Lineage) -> str:
    seed = f"seed {lineage.seed}"
    if not lineage.parents:
        return f"the seed prompt itself; {seed}"
    parents = [sha256[:_SHOWN_OF_A_HASH] for sha256 in lineage.parents]
    return f"made of {', '.join(parents)} (the seed prompt first); {seed}"


def prompt_lines(prompt: PromptText) -> list[tuple[str, str]]:
    """Its parts by name, in order: the instruction, then each example's question and answer."""
    parts = [("instruction", prompt.instruction)] if prompt.instruction else []
    for number, example in enumerate(prompt.examples, 1):
        parts += [
            (f"example {number}, question", example.question),
            (f"example {number}, answer", example.answer),
        ]
    return parts
