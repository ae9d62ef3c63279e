"""Which unit fits on which machine, and which cards it gets there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from servers.capacity.memory_estimate import fewest_cards

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engines.node.messages import Card
    from engines.unit import Needs


def cards_needed(needs: Needs, cards: Sequence[Card]) -> int | None:
    """How many of a machine's cards a unit takes; None if it can't be done there. A unit without layers on a card gets
    one too, because llama.cpp uses it all the same; on a machine without cards, it takes the processors.
    """
    if not cards:
        return 0 if not needs.needs_gpus else None
    count = max(1, needs.gpus)
    if needs.gpu_memory_bytes and needs.gpus:
        sizes = [card.memory_bytes for card in cards]
        by_memory = fewest_cards(needs.gpu_memory_bytes, sizes)
        count = max(count, by_memory or len(cards))
    if count > len(cards):
        return None if needs.needs_gpus else len(cards)
    return count


@dataclass
class Slots:
    """What of a machine is free. Without cards, it does one unit at a time, as this machine does."""

    cards: tuple[Card, ...]
    _taken: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def could(self, needs: Needs) -> bool:
        """Whether it fits once all is free."""
        return cards_needed(needs, self.cards) is not None

    def free(self, needs: Needs) -> tuple[str, ...] | None:
        """The cards for a unit; None if it doesn't fit now."""
        count = cards_needed(needs, self.cards)
        if count is None:
            return None
        if not self.cards:
            return None if self._taken else ()
        in_use = {uuid for cards in self._taken.values() for uuid in cards}
        left = sorted(
            (card for card in self.cards if card.uuid not in in_use),
            key=lambda card: float("inf") if card.memory_bytes is None else card.memory_bytes,
            reverse=True,
        )
        enough = [number for number in range(count, len(left) + 1) if _holds(needs, left[:number])]
        if len(left) == len(self.cards):
            enough.append(count)  # it would fit no better later
        return tuple(card.uuid for card in left[: enough[0]]) if enough else None

    def take(self, attempt: str, cards: tuple[str, ...]) -> None:
        self._taken[attempt] = cards

    def give_back(self, attempt: str) -> None:
        self._taken.pop(attempt, None)


def _holds(needs: Needs, cards: Sequence[Card]) -> bool:
    needed_bytes = needs.gpu_memory_bytes if needs.gpus else None
    return not needed_bytes or fewest_cards(needed_bytes, [card.memory_bytes for card in cards]) is not None
