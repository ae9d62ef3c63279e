"""What the scores of several continuations say of a choice, as lm-eval 0.4.13 defines it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from evaluation.likelihood.continuations import likeliest

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

CHOICE_METRICS = ("acc", "acc_norm", "acc_bytes", "mc2")


def choice_metrics(
    logprobs: Sequence[float], choices: Sequence[str], right: Collection[int]
) -> dict[str, float]:
    """logprobs: of the choices, as continuations. choices: their texts, without what separates them from the prompt.

    acc: whether the likeliest is right. acc_norm, acc_bytes: whether the likeliest for its length is, in characters or
    in bytes of UTF-8. mc2: the share of the right ones in the probability of all. Of equals, the first counts.
    """
    by_chars = [value / max(1, len(text)) for value, text in zip(logprobs, choices, strict=True)]
    by_bytes = [value / max(1, len(text.encode())) for value, text in zip(logprobs, choices, strict=True)]
    top = max(logprobs)
    weights = [math.exp(value - top) for value in logprobs]
    return {
        "acc": float(likeliest(logprobs) in right),
        "acc_norm": float(likeliest(by_chars) in right),
        "acc_bytes": float(likeliest(by_bytes) in right),
        "mc2": min(1.0, math.fsum(weights[number] for number in right) / math.fsum(weights)),
    }
