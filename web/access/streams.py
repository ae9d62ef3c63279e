"""How many event streams are open at once."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING

from web.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from web.access.caller import Caller

ASK_AGAIN_S = 15.0


class Streams:
    """Places for event streams. One user has at most half of them, so that the others can look too."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._open: Counter[str] = Counter()

    @property
    def open(self) -> int:
        """How many are open now."""
        return self._open.total()

    @contextlib.contextmanager
    def place(self, caller: Caller) -> Iterator[None]:
        """Hold a place within the block. Raises ApiError (429) if there is none. Enter it before the answer begins:
        an error in the middle of a stream can't be told any more. Use it in the event loop's thread only.
        """
        if self.open >= self.most:
            raise ApiError(429, f"{self.most} event streams are open; close one", retry_after_s=ASK_AGAIN_S)
        if self._open[caller.user] >= max(1, self.most // 2):
            raise ApiError(
                429,
                f"you have {self._open[caller.user]} event streams open; close one",
                retry_after_s=ASK_AGAIN_S,
            )
        self._open[caller.user] += 1
        try:
            yield
        finally:
            self._open[caller.user] -= 1
            if not self._open[caller.user]:
                del self._open[caller.user]
