"""Signals that end a run become an exception, so that every `with` on the way out does its work."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING, Self

from results.errors import Interrupted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruptions:
    """Within the block, the first of SIGINT, SIGTERM, SIGHUP raises Interrupted; later ones are ignored.

    What follows the first is the orderly end, which takes seconds at most; SIGKILL is safe at any time. A
    signal that the parent had set to be ignored (nohup) stays ignored. For the main thread.
    """

    def __init__(self) -> None:
        self._before = {number: signal.getsignal(number) for number in ENDING}
        self._holding = False
        self._waiting: int | None = None

    def __enter__(self) -> Self:
        for number, handler in self._before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, self._end)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """A signal waits until this block is done: for what must not stop half-way, and is short."""
        self._holding = True
        try:
            yield
        finally:
            self._holding = False
            if self._waiting is not None:
                self._raise(self._waiting)

    def _end(self, number: int, _frame: FrameType | None) -> None:
        for each in ENDING:
            signal.signal(each, signal.SIG_IGN)
        if self._holding:
            self._waiting = number
        else:
            self._raise(number)

    @staticmethod
    def _raise(number: int) -> None:
        raise Interrupted(number, f"stopped by {signal.Signals(number).name}")
