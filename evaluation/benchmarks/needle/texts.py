"""One sample's prompt: the needles, the haystack around them, and the question."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from evaluation.benchmarks.needle.kinds import Kind, hide, notes
from evaluation.benchmarks.needle.prose import paragraphs
from evaluation.protocols import Prompt, PromptStyle

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evaluation.benchmarks.needle.kinds import Hidden, Needle

_NOTES_PER_PARAGRAPH = 6


class NeedleText:
    """The text of one sample, in any length; it depends on nothing but the seed and the sample's id.

    The haystack begins with other words in each sample, so that no server finds more than the instruction in its cache.
    """

    def __init__(self, kind: Kind, *, task_id: str, seed: int, depth: float | None) -> None:
        self._kind = kind
        self._seed = f"{seed}/{task_id}"
        self.hidden: Hidden = hide(kind, random.Random(self._seed), depth=depth)  # noqa: S311 - no secret

    def prompt(self, chars: int, style: PromptStyle) -> Prompt:
        """With a haystack of about so many characters, the needles not counted."""
        text = "\n\n".join(" ".join(each) for each in _with(self.hidden.needles, self._haystack(chars)))
        whole = f"{self.hidden.about}\n\n{text}\n\nQuestion: {self.hidden.question}"
        if style is PromptStyle.COMPLETION:
            whole += f"\nAnswer: {self.hidden.answer}"
        return Prompt("", whole)

    def _haystack(self, chars: int) -> list[list[str]]:
        """Whole sentences, in paragraphs."""
        rng = random.Random(f"{self._seed}/haystack")  # noqa: S311 - no secret
        source = _paragraphs_of_notes(rng, self.hidden) if self._kind is Kind.DENSE else paragraphs(rng)
        found: list[list[str]] = []
        left = chars
        for paragraph in source:
            kept: list[str] = []
            for sentence in paragraph:
                left -= len(sentence) + 1
                if left < 0:
                    return [*found, kept] if kept else found
                kept.append(sentence)
            found.append(kept)
            left -= 1
        return found


def _paragraphs_of_notes(rng: random.Random, hidden: Hidden) -> Iterator[list[str]]:
    drawn = notes(rng, hidden)
    while True:
        yield [next(drawn) for _ in range(_NOTES_PER_PARAGRAPH)]


def _with(needles: Sequence[Needle], haystack: Sequence[Sequence[str]]) -> list[list[str]]:
    """The paragraphs with each needle between two sentences at its place."""
    count = sum(map(len, haystack))
    places = [round(needle.at * count) for needle in needles]
    found: list[list[str]] = []
    waiting = list(zip(places, needles, strict=True))
    passed = 0
    for paragraph in haystack:
        made = []
        for sentence in paragraph:
            while waiting and waiting[0][0] <= passed:
                made.append(waiting.pop(0)[1].sentence)
            made.append(sentence)
            passed += 1
        found.append(made)
    behind = [needle.sentence for _, needle in waiting]
    if behind:
        found = [*found[:-1], [*(found[-1] if found else []), *behind]]
    return found
