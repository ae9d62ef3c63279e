"""What ends a worker: a signal, or the `serve` that started it.

`serve` holds the other end of the worker's stdin. The word `stop` there, SIGTERM and SIGINT end it in order: its jobs
are stopped cleanly, and go on later. The end of the pipe without a word means that `serve` was killed: the worker ends,
and leaves its jobs running for the next one.
"""

from __future__ import annotations

import contextlib
import enum
import os
import signal
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import FrameType

CONTROL_VARIABLE = "BENCH_WORKER_CONTROL"  # set to "stdin" by the one that holds the pipe
STOP = b"stop\n"
_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Word(enum.Enum):
    """What the worker is told."""

    STOP = "stop"
    LEAVE = "leave"


class Control:
    """Use it in a block, in the main thread. Signals are heeded instead of raised there.

    pipe: the descriptor of the pipe; None without one.
    """

    def __init__(self, pipe: int | None) -> None:
        self._pipe = pipe
        self._heard = b""
        self._word: Word | None = None
        self._before: dict[signal.Signals, Any] = {}
        self._wake, self._wake_write = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._wake_write, False)
        if pipe is not None:
            os.set_blocking(pipe, False)

    @classmethod
    def of_environment(cls) -> Self:
        """With stdin as the pipe, if whoever started this process says so."""
        return cls(0 if os.environ.get(CONTROL_VARIABLE) == "stdin" else None)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """Readable when there is news; then ask for the `word`."""
        return (self._wake,) if self._pipe is None else (self._wake, self._pipe)

    def word(self) -> Word | None:
        """What the worker was told so far. It stays so."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._wake, 4096):
                pass
        if self._pipe is not None and self._word is None:
            try:
                data = os.read(self._pipe, 4096)
            except BlockingIOError:
                return None
            except OSError:
                data = b""
            self._heard = (self._heard + data)[-len(STOP) :]
            if self._heard == STOP:
                self._word = Word.STOP
            elif not data:
                self._word = Word.LEAVE
        return self._word

    def __enter__(self) -> Self:
        self._wakeup_before = signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in _ENDING:
            before = signal.getsignal(number)
            if before is not signal.SIG_IGN:
                self._before[number] = before
                signal.signal(number, self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        signal.set_wakeup_fd(self._wakeup_before)
        self.close()

    def close(self) -> None:
        """Stop listening; the pipe stays open."""
        os.close(self._wake)
        os.close(self._wake_write)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        if self._word is None:
            self._word = Word.STOP
