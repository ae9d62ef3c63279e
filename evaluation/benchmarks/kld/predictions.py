"""Predictions of a window's tokens: the likeliest tokens with their log-probabilities, in memory and on disk."""

from __future__ import annotations

import base64
import sys
from array import array
from typing import TYPE_CHECKING

import msgspec

from results.stats.divergence import KldWindow, compared

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evaluation.benchmarks.kld.windows import Window

Prediction = dict[int, float]  # log-probability by token id; the text's own token is always there


class KeptWindow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a reference: the predictions of a window's measured tokens.

    tokens: ids of the whole window. counts: known tokens of each prediction. ids, logprobs: of all predictions in a
    row, as base64 of little-endian uint32 and float32.
    """

    index: int
    tokens: tuple[int, ...]
    counts: tuple[int, ...]
    ids: str
    logprobs: str

    def predictions(self) -> list[Prediction]:
        """Raises ValueError if it is damaged."""
        ids, logprobs = list(map(int, _read("I", self.ids))), _read("f", self.logprobs)
        if not len(ids) == len(logprobs) == sum(self.counts):
            raise ValueError("another number of values than it says")
        found, at = [], 0
        for count in self.counts:
            found.append(dict(zip(ids[at : at + count], logprobs[at : at + count], strict=True)))
            at += count
        return found


def kept(window: Window, predictions: Sequence[Prediction]) -> KeptWindow:
    return KeptWindow(
        index=window.index,
        tokens=window.tokens,
        counts=tuple(map(len, predictions)),
        ids=_written("I", [token for each in predictions for token in each]),
        logprobs=_written("f", [value for each in predictions for value in each.values()]),
    )


def compare(window: Window, model: Sequence[Prediction], reference: Sequence[Prediction] | None) -> KldWindow:
    """The window's line in the journal. All predictions are of its measured tokens."""
    logprobs = _of_text(window, model)
    if reference is None:
        return KldWindow(index=window.index, logprobs=logprobs)
    found = [compared(p, q) for p, q in zip(reference, model, strict=True)]
    return KldWindow(
        index=window.index,
        logprobs=logprobs,
        reference_logprobs=_of_text(window, reference),
        klds=tuple(_rounded(each.kld) for each in found),
        same_top=tuple(each.same_top for each in found),
        tails=tuple(_rounded(each.tail) for each in found),
        reference_tails=tuple(_rounded(each.reference_tail) for each in found),
    )


def _of_text(window: Window, predictions: Sequence[Mapping[int, float]]) -> tuple[float, ...]:
    return tuple(_rounded(each[token]) for token, each in zip(window.measured, predictions, strict=True))


def _rounded(value: float) -> float:
    """To more digits than a float32 has."""
    return float(f"{value:.9g}")


def _written(kind: str, values: Sequence[float]) -> str:
    return base64.b64encode(_little_endian(array(kind, values)).tobytes()).decode()


def _read(kind: str, text: str) -> array[float]:
    values: array[float] = array(kind)
    values.frombytes(base64.b64decode(text, validate=True))
    return _little_endian(values)


def _little_endian(values: array[float]) -> array[float]:
    if sys.byteorder == "big":
        values.byteswap()
    return values
