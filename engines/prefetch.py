"""Read the next model's file into the page cache while the current one generates."""

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
_LEFT_BYTES = 2 << 30  # memory left for other programs


class Prefetch:
    """Reads files one after another in a daemon thread. Skips what doesn't fit into the available memory, because it
    would push out data in use.
    """

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, files: Sequence[Path], then: Callable[[], object]) -> None:
        """Start reading these files and call `then` when done. Stops what was in progress."""
        self.stop()
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=_read_ahead, args=(tuple(files), then, self._stop), name="prefetch", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop soon, without waiting. Is idempotent."""
        self._stop.set()
        self._thread = None


def _read_ahead(files: Sequence[Path], then: Callable[[], object], stop: threading.Event) -> None:
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)  # on Linux this affects only this thread
    buffer = bytearray(_CHUNK_BYTES)
    for path in files:
        try:
            descriptor = open_regular(path)
        except OSError:  # the run that needs it will report it
            return
        try:
            size = os.fstat(descriptor).st_size
            if size + _LEFT_BYTES > psutil.virtual_memory().available:
                return
            # Really read it: for posix_fadvise(WILLNEED), Linux reads only its read-ahead window.
            while os.readv(descriptor, [buffer]):
                if stop.is_set():
                    return
        finally:
            os.close(descriptor)
    with contextlib.suppress(BenchError):  # the run itself will report it
        then()
