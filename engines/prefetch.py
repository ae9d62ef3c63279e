"""Bring the next model's file into the page cache while the present one generates."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING

import psutil

from results.errors import BenchError
from results.files import open_regular

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_CHUNK_BYTES = 4 << 20
_LEFT_BYTES = 2 << 30  # of memory, for everybody else


class Prefetch:
    """One file after the other, in a thread of its own, which ends with the program. What doesn't fit into the memory
    that is available is left alone: it would push out what is in use.
    """

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, files: Sequence[Path], then: Callable[[], object]) -> None:
        """Begin with these, and call `then` once they are there; what was under way is stopped."""
        self.stop()
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=_read_ahead, args=(tuple(files), then, self._stop), name="prefetch", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Soon; it is not waited for. Is idempotent."""
        self._stop.set()
        self._thread = None


def _read_ahead(files: Sequence[Path], then: Callable[[], object], stop: threading.Event) -> None:
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)  # on Linux that is of this thread alone
    buffer = bytearray(_CHUNK_BYTES)
    for path in files:
        try:
            descriptor = open_regular(path)
        except OSError:  # whoever needs it will say so
            return
        try:
            size = os.fstat(descriptor).st_size
            if size + _LEFT_BYTES > psutil.virtual_memory().available:
                return
            # Read for real: of what posix_fadvise(WILLNEED) asks for, Linux reads no more than its read-ahead window.
            while os.readv(descriptor, [buffer]):
                if stop.is_set():
                    return
        finally:
            os.close(descriptor)
    with contextlib.suppress(BenchError):  # the run itself will meet it
        then()
