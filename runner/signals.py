"""Signals that end a run become an exception, so that every `with` on the way out does its work."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

from results.errors import Interrupted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Raise Interrupted in the block at the first of SIGINT, SIGTERM, SIGHUP; later ones are ignored.

    What follows the first is the orderly end, which takes seconds at most; SIGKILL is safe at any time. A
    signal that the parent had set to be ignored (nohup) stays ignored.
    """

    def end(number: int, _frame: FrameType | None) -> None:
        for each in ENDING:
            signal.signal(each, signal.SIG_IGN)
        name = signal.Signals(number).name
        raise Interrupted(number, f"stopped by {name}")

    before = {number: signal.getsignal(number) for number in ENDING}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
