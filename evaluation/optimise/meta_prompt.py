"""meta_prompt: the reflector sees the best instruction, earlier ones with their scores, and writes several new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation.optimise.optimiser import Optimiser
from evaluation.optimise.parameters import MetaPrompt
from evaluation.optimise.reflecting import instructions_in, several_request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class MetaPrompting(Optimiser[MetaPrompt]):
    """A round writes `prompts_per_round` instructions with one request, which race with each other."""

    _waiting: list[str] | None = None

    def plan(self) -> list[str]:
        self._waiting = None
        return super().plan() * self.parameters.prompts_per_round

    def propose(self, current: str, records: Sequence[Mapping[str, str]]) -> str | None:
        if self._waiting is None:
            count = self.parameters.prompts_per_round
            reply = self.ledger.reflect(several_request(current, records, self._history(current), count))
            self._waiting = instructions_in(reply, count)
        return self._waiting.pop(0) if self._waiting else None

    def _history(self, current: str) -> list[tuple[str, float]]:
        """The best of those tried beside the current one, the best one last."""
        scored = [
            (self.trials.texts[sha256], score)
            for sha256, score in self.trials.estimates.items()
            if self.trials.texts[sha256] != current
        ]
        ranked = sorted(scored, key=lambda pair: pair[1])
        return ranked[len(ranked) - min(len(ranked), self.parameters.history_size) :]
