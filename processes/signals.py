"""Turn signals that end a run into an exception, so that every `with` on the way out cleans up."""

from __future__ import annotations

import _thread
import contextlib
import signal
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Self

from results.errors import Interrupted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AGAIN_S = 0.01


class Interruptions:
    """Within the block, the first SIGINT, SIGTERM or SIGHUP raises Interrupted in the main thread.

    While that exception exists, cleaning up is in progress and later signals are ignored, because they would cut it
    short. Cleaning up takes seconds, up to 20 s if processes ignore SIGTERM, and over a minute if one hangs in the
    kernel. SIGKILL is safe at any time. If other code swallows the exception (a bare `except:`, a `__del__`), it is
    raised again. A signal that the parent ignores (nohup) stays ignored. Use it in the main thread.

    A signal that comes while the block is entered or left is handled as outside the block, so that a `try` within the
    block sees every Interrupted.
    """

    def __init__(self) -> None:
        self._before = {number: signal.getsignal(number) for number in ENDING}
        self._holding = False
        self._waiting: int | None = None
        self._raised: weakref.ref[Interrupted] | None = None
        self._report_dropped = sys.unraisablehook

    def __enter__(self) -> Self:
        sys.unraisablehook = self._dropped
        for number, handler in self._before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, self._end)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._raised = None
        sys.unraisablehook = self._report_dropped

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Delay signals until this short block is done, because it must not stop half-way."""
        self._holding = True
        try:
            yield
        finally:
            self._holding = False
            if self._waiting is not None:
                number, self._waiting = self._waiting, None
                self._raise(number)

    def _end(self, number: int, frame: FrameType | None) -> None:
        if self._raised is not None and self._raised() is not None:
            return
        if _at_an_edge(frame):
            self._as_outside(number, frame)
        elif self._holding:
            self._waiting = self._waiting or number
        else:
            self._raise(number)

    def _as_outside(self, number: int, frame: FrameType | None) -> None:
        handler = self._before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)
        else:  # the default, which ends the process
            signal.signal(number, handler)
            signal.raise_signal(number)

    def _raise(self, number: int) -> None:
        which = signal.Signals(number)
        interrupted = Interrupted(which, f"stopped by {which.name}")
        self._raised = weakref.ref(interrupted, lambda _: self._raise_again(which))
        try:
            raise interrupted
        finally:
            del interrupted  # this frame is in its traceback and would keep it alive

    def _dropped(self, what: sys.UnraisableHookArgs) -> None:
        """Python drops what a `__del__` or a weakref's callback raises, and prints it; a signal is raised again, so
        there is nothing to print.
        """
        if not isinstance(what.exc_value, Interrupted):
            self._report_dropped(what)

    def _raise_again(self, number: signal.Signals) -> None:
        """Send the signal again a little later, from a thread: an exception in a weakref's callback is swallowed
        too.
        """

        def send() -> None:
            time.sleep(AGAIN_S)
            if self._raised is not None:  # still within the block
                signal.pthread_kill(threading.main_thread().ident or 0, number)

        _thread.start_new_thread(send, ())


def _at_an_edge(frame: FrameType | None) -> bool:
    """Whether a block is being entered or left. A flag would be set too late: Python handles a signal before the first
    line of `__exit__`, when the `try` within the block has already been left.
    """
    edges = (Interruptions.__enter__.__code__, Interruptions.__exit__.__code__)
    while frame is not None and frame.f_code not in edges:
        frame = frame.f_back
    return frame is not None
