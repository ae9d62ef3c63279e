"""A prompt as gepa's candidate, a dict of one text: the part that an optimiser works on. The rest stays the seed's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from results.prompts.prompt_file import Example, PromptText

if TYPE_CHECKING:
    from collections.abc import Iterable

    from evaluation.optimise.contract import Item

INSTRUCTION = "instruction"
EXAMPLES = "examples"
AS_SEED = "as in the seed prompt"


class Candidates:
    """component: INSTRUCTION or EXAMPLES. pool: what examples may be made of; others have none."""

    def __init__(self, seed_prompt: PromptText, component: str, pool: Iterable[Item] = ()) -> None:
        self.component = component
        self._seed_prompt = seed_prompt
        self._pool = {item.sha256: item for item in pool}
        self._places = {sha256: place for place, sha256 in enumerate(self._pool)}
        self._prompts: dict[str, PromptText] = {}
        self._hashes: dict[str, str] = {}

    @property
    def seed(self) -> dict[str, str]:
        text = self._seed_prompt.instruction if self.component == INSTRUCTION else AS_SEED
        return {self.component: text}

    def prompt(self, candidate: dict[str, str]) -> PromptText:
        text = candidate[self.component]
        if text not in self._prompts:
            self._prompts[text] = self._prompt(text)
        return self._prompts[text]

    def sha256(self, candidate: dict[str, str]) -> str:
        """Of its prompt."""
        text = candidate[self.component]
        if text not in self._hashes:
            self._hashes[text] = self.prompt(candidate).sha256
        return self._hashes[text]

    def text_of(self, chosen: Iterable[int]) -> str:
        """Of examples by their places in the pool, shown in its order."""
        hashes = list(self._pool)
        return msgspec.json.encode([hashes[place] for place in sorted(chosen)]).decode()

    def places(self, text: str) -> frozenset[int]:
        """The other way round; none for the seed's."""
        if text == AS_SEED:
            return frozenset()
        return frozenset(self._places[sha256] for sha256 in msgspec.json.decode(text, type=list[str]))

    def _prompt(self, text: str) -> PromptText:
        if self.component == INSTRUCTION:
            return PromptText(instruction=text, examples=self._seed_prompt.examples)
        if text == AS_SEED:
            return self._seed_prompt
        chosen = (self._pool[sha256] for sha256 in msgspec.json.decode(text, type=list[str]))
        return PromptText(
            instruction=self._seed_prompt.instruction,
            examples=tuple(
                Example(question=item.question, answer=item.answer, sample=item.task_id) for item in chosen
            ),
        )
