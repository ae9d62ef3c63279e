"""What a recommendation has to keep to, and what it is asked for."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from settings.speed_lengths import LEAST_PROMPT, SPARE_TOKENS

if TYPE_CHECKING:
    from pathlib import Path

    from servers.capacity.fit import Room
    from settings.asked import Asked

OUTPUT_TOKENS = 128  # of an answer whose speed is measured
SPEED_REQUESTS = 3
SHUFFLE = 0  # with --limit the samples are drawn at random, always the same ones


class Prefer(enum.StrEnum):
    """What decides among models that are as good."""

    SPEED = "speed"
    ENERGY = "energy"
    MEMORY = "memory"


@dataclass(frozen=True, kw_only=True)
class Constraints:
    """room: the memory that counts, in which everything must fit. ctx_size: tokens per slot. min_tokens_per_s: of one
    chat, with a full context. tolerance_points: the loss that is accepted, in points of the score.
    """

    room: Room
    ctx_size: int
    parallel: int = 1
    kv_types: tuple[str, ...] = ("f16",)
    min_tokens_per_s: float | None = None
    max_watts: float | None = None
    tolerance_points: float = 2.0
    prefer: Prefer = Prefer.SPEED

    @property
    def on_cards(self) -> bool:
        """Whether models are put on cards."""
        return bool(self.room.cards)

    @property
    def margin(self) -> float:
        return self.tolerance_points / 100

    @property
    def depth(self) -> int:
        """The tokens in the context after which speed is measured: the answer just fits behind them."""
        return max(self.ctx_size - OUTPUT_TOKENS - SPARE_TOKENS, LEAST_PROMPT)

    def facts(self) -> dict[str, Any]:
        """For a record."""
        return {
            "cards_bytes": list(self.room.cards),
            "host_bytes": self.room.host_bytes,
            "ctx_size": self.ctx_size,
            "parallel": self.parallel,
            "kv_types": list(self.kv_types),
            "min_tokens_per_s": self.min_tokens_per_s,
            "max_watts": self.max_watts,
            "tolerance_points": self.tolerance_points,
            "prefer": str(self.prefer),
        }


@dataclass(frozen=True, kw_only=True)
class Question:
    """models: texts for --model, each one model. benchmarks: names, with the settings of each. common: settings of the
    server and of supervision. kld: the settings of a run of `kld` against a reference, if that is to be measured.
    server_args: of every server. estimator: llama-fit-params, if it is there. notes: what is not known
    because of them.
    """

    models: tuple[str, ...]
    constraints: Constraints
    benchmarks: dict[str, Asked]
    common: Asked
    kld: Asked | None = None
    server_args: tuple[str, ...] = ()
    estimator: Path | None = None
    notes: tuple[str, ...] = ()
