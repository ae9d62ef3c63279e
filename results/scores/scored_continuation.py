"""How likely a model finds a continuation of a prompt, as it is kept in a line of `completions.jsonl`."""

from __future__ import annotations

import msgspec


class ScoredContinuation(msgspec.Struct, frozen=True, array_like=True):
    """The score of one continuation.

    logprob: the natural logarithm of its probability, the sum over its tokens. tokens: their number. is_greedy: whether
    each of them was the likeliest token.
    """

    logprob: float
    tokens: int
    is_greedy: bool
