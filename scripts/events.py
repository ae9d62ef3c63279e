"""What a program says: events for machines on stdout, one JSON object a line; words for people on stderr."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from typing import Any

from results.errors import Interrupted
from results.json_text import encode
from results.plain_text import indented

_TIMED = {"start", "progress"}
_PROGRESS_S = 0.1  # ten a second are enough for a bar


class Events:
    """The one writer to stdout."""

    def __init__(self) -> None:
        self._last_progress = 0.0

    def emit(self, event: str, **fields: Any) -> None:
        """Raises Interrupted when nobody listens any more: whoever started this is gone. Events of progress get the
        time, in seconds since the epoch.
        """
        if event in _TIMED:
            fields["time_s"] = round(time.time(), 3)
        try:
            sys.stdout.buffer.write(encode({"event": event, **fields}) + b"\n")
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            # Else the interpreter complains at its exit about what it could not flush.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise Interrupted(signal.SIGHUP, "nothing reads the output of this program any more") from None

    def progress(self, fields: dict[str, Any]) -> None:
        """Left out when the last one is too recent; the end (`done` is `total`) never is."""
        now = time.monotonic()
        if now - self._last_progress >= _PROGRESS_S or fields["done"] == fields["total"]:
            self._last_progress = now
            self.emit("progress", **fields)

    def say(self, text: str) -> None:
        """For people; dropped where stderr is closed, or nobody reads it."""
        if sys.stderr is not None:  # else print takes stdout
            with contextlib.suppress(OSError):
                print(indented(text), file=sys.stderr, flush=True)
