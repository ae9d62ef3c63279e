"""Cut a text's tokens into windows, as llama-perplexity does, so that both measure the same tokens."""

from __future__ import annotations

import hashlib
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Window:
    """tokens: ids. Those from `first` on are measured, each after all tokens before it."""

    index: int
    tokens: tuple[int, ...]

    @property
    def first(self) -> int:
        return first_measured(len(self.tokens))

    @property
    def measured(self) -> tuple[int, ...]:
        return self.tokens[self.first :]


def first_measured(window: int) -> int:
    """The first measured token: window - 1 - window // 2 of them follow, as in llama-perplexity."""
    return window // 2 + 1


def cut(tokens: Sequence[int], *, window: int, begin: int | None, limit: int | None) -> list[Window]:
    """The windows, one after the other; what is left at the end is dropped.

    tokens: of the whole text, with what the model wants before it. begin: the token that the model wants before a text,
    which then replaces the first one of each window. limit: at most so many. Raises UsageError if there is none.
    """
    count = len(tokens) // window
    if not count:
        raise UsageError(
            f"the text has {len(tokens)} tokens, fewer than a window of {window}",
            hint="give a longer --kld-text, or a smaller --kld-window",
            settings=("kld_text", "kld_window"),
        )
    found = []
    for index in range(count if limit is None else min(count, limit)):
        piece = tuple(tokens[index * window : (index + 1) * window])
        found.append(Window(index, piece if begin is None else (begin, *piece[1:])))
    return found


def tokens_sha256(windows: Sequence[Window]) -> str:
    """Of all tokens of the windows, in order."""
    digest = hashlib.sha256()
    for window in windows:
        digest.update(array("Q", window.tokens).tobytes())
    return digest.hexdigest()
