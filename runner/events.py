"""Read a script's standard output while it grows: JSON events, one a line, among anything else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK_BYTES = 1 << 20
_LONGEST_LINE_BYTES = 1 << 20  # a longer line is no event


class EventTail:
    """New events of a growing file. Lines that are no event (no JSON object with an "event") are passed over."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = path.stat().st_size if path.exists() else 0
        self._partial = b""
        self._skipping = False

    @property
    def size_bytes(self) -> int:
        """How much was read so far."""
        return self._offset

    def read(self) -> list[dict[str, Any]]:
        """The events since the last call; at most 1 MiB of output is looked at a call."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                chunk = file.read(_CHUNK_BYTES)
        except FileNotFoundError:
            return []
        self._offset += len(chunk)
        *lines, self._partial = (self._partial + chunk).split(b"\n")
        if lines and self._skipping:
            lines, self._skipping = lines[1:], False
        if len(self._partial) > _LONGEST_LINE_BYTES:
            self._partial, self._skipping = b"", True
        return [event for event in map(_event, lines) if event is not None]


def _event(line: bytes) -> dict[str, Any] | None:
    if not line.startswith(b"{"):
        return None
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None
