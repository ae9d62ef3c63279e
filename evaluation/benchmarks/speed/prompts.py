"""Prompts of a known length, each unlike all others from its first token on, so that no cache can help."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.stats.speed import Load

_PROSE = (
    "river stone garden winter letter market bridge candle summer window silver mountain paper ocean forest "
    "kitchen doctor yellow music simple answer morning valley engine picture shadow bottle farmer island golden "
    "school corner travel number village thunder copper orange station butter planet circle history feather "
    "captain hammer meadow harbor ticket rabbit signal mirror carpet lantern pepper tunnel basket ribbon saddle "
    "the and with from under over between before after while where which their every many small large quiet "
    "quick heavy early late warm cold bright dark open near far young old new long short round empty full clear"
)
WORDS = _PROSE.split()
# vLLM's prefix cache takes whole blocks of so many tokens, and a block only together with all before it.
_UNIQUE_TOKENS = 16
_LEAST_POOL = 32


class TokenPrompts:
    """Prompts as token ids, of exactly the length asked for, from ids of ordinary words.

    All but their first 16 tokens depend on nothing but the seed; those are random, so that a server that runs on and
    keeps its cache has never seen them.
    """

    def __init__(self, ids: Sequence[int], seed: int) -> None:
        self._ids = sorted(set(ids))
        self._seed = seed
        self._fresh = random.SystemRandom()

    @staticmethod
    def suffice(ids: Sequence[int]) -> bool:
        """Whether prompts made of these are unlike each other."""
        return len(set(ids)) >= _LEAST_POOL

    def make(self, load: Load, index: int) -> list[int]:
        seeded = random.Random(f"{self._seed}/{load.name}/{index}")  # noqa: S311 - no secret
        fresh = min(_UNIQUE_TOKENS, load.prompt_tokens)
        return self._fresh.choices(self._ids, k=fresh) + seeded.choices(
            self._ids, k=load.prompt_tokens - fresh
        )


class WordPrompts:
    """Prompts as words, for a server that does not tell its tokens: the length is about the one asked for.

    It follows from two lengths that were measured, as (words, tokens).
    """

    def __init__(self, short: tuple[int, int], long: tuple[int, int], seed: int) -> None:
        self._tokens_per_word = max(0.1, (long[1] - short[1]) / (long[0] - short[0]))
        self._overhead = short[1] - self._tokens_per_word * short[0]
        self._seed = seed
        self._fresh = random.SystemRandom()

    def make(self, load: Load, index: int) -> str:
        count = max(1, round((load.prompt_tokens - self._overhead) / self._tokens_per_word))
        seeded = random.Random(f"{self._seed}/{load.name}/{index}")  # noqa: S311 - no secret
        fresh = min(_UNIQUE_TOKENS, count)
        return text(self._fresh.choices(WORDS, k=fresh) + seeded.choices(WORDS, k=count - fresh))


def text(words: Sequence[str]) -> str:
    """As a tokenizer meets them in prose: nearly always a token a word."""
    return " ".join(words)
