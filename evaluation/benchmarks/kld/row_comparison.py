"""Compare two models' log-probabilities of one chunk, position by position, over the whole vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_VALUES_AT_ONCE = 1 << 17  # they stay in the processor's cache
_LEAST_LOG_P = -16.0  # of the reference: what is less likely is left out, as in llama-perplexity


@dataclass(frozen=True)
class ComparedPositions:
    """One value for each scored position.

    kld: of the model from the reference, in nats; rounding may make it slightly negative. same_top: whether the same
    token is the likeliest of both. logprobs, base_logprobs: of the text's own next token, by the model and by the
    reference.
    """

    kld: NDArray[np.float64]
    same_top: NDArray[np.bool_]
    logprobs: NDArray[np.float64]
    base_logprobs: NDArray[np.float64]


def compare_rows(
    base: NDArray[np.uint16], model: NDArray[np.uint16], next_tokens: NDArray[np.int32]
) -> ComparedPositions:
    """base, model: rows as in a file of log-probabilities. next_tokens: the text's own token after each position."""
    count = len(next_tokens)
    kld = np.empty(count)
    same_top = np.empty(count, dtype=np.bool_)
    base_scale, base_least = _floats(base)
    scale, least = _floats(model)
    base_numbers, numbers = base[:, 4:], model[:, 4:]
    rows_at_once = max(1, _VALUES_AT_ONCE // base_numbers.shape[1])
    for begin in range(0, count, rows_at_once):
        part = slice(begin, begin + rows_at_once)
        base_log = base_numbers[part] * base_scale[part, None] + base_least[part, None]
        log = numbers[part] * scale[part, None] + least[part, None]
        weight = np.exp(base_log)
        weight[base_log <= _LEAST_LOG_P] = 0.0
        np.subtract(base_log, log, out=base_log)
        kld[part] = np.einsum("ij,ij->i", weight, base_log, dtype=np.float64)
        same_top[part] = base_numbers[part].argmax(axis=1) == numbers[part].argmax(axis=1)
    return ComparedPositions(
        kld=kld,
        same_top=same_top,
        logprobs=text_logprobs(model, next_tokens),
        base_logprobs=text_logprobs(base, next_tokens),
    )


def text_logprobs(rows: NDArray[np.uint16], next_tokens: NDArray[np.int32]) -> NDArray[np.float64]:
    """The log-probability of the text's own next token at each position."""
    scale, least = _floats(rows)
    numbers = rows[np.arange(len(rows)), 4 + next_tokens]
    return scale.astype(np.float64) * numbers + least


def _floats(rows: NDArray[np.uint16]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scale and smallest log-probability of each row."""
    floats = np.ascontiguousarray(rows[:, :4]).view("<f4")
    return floats[:, 0], floats[:, 1]
