"""Read JSON events, one per line, from a script's growing standard output, which may also contain anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from results.files import open_to_read
from results.json_text import NOT_THAT_JSON

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK_BYTES = 1 << 20
_LONGEST_LINE_BYTES = 1 << 20  # a longer line is not an event
_LONGEST_WORDS = 2000  # characters of an error's message that are kept


class EventTail:
    """The new events in a growing file: start, progress, phase, trial, style and error, with all their fields.

    Skips other lines, and events whose fields have the wrong type. whole: also what is there already.
    """

    def __init__(self, path: Path, *, whole: bool = False) -> None:
        self._path = path
        self._offset = path.stat().st_size if path.exists() and not whole else 0
        self._partial = b""
        self._skipping = False

    @property
    def size_bytes(self) -> int:
        """How much has been read so far."""
        return self._offset

    def read(self) -> list[dict[str, Any]]:
        """The events since the last call. Each call reads at most 1 MiB of output."""
        try:
            with open_to_read(self._path) as file:
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


def last_error(stdout: str) -> dict[str, str]:
    """The script's last "error" event: kind, message and hint; {} if there is none."""
    for line in reversed(stdout.splitlines()):
        event = _event(line.encode(errors="replace"))
        if event is not None and event["event"] == "error":
            return {name: event[name][:_LONGEST_WORDS] for name in ("kind", "message", "hint")}
    return {}


def _event(line: bytes) -> dict[str, Any] | None:
    """The event's known fields, with checked types, as any script may have written it; None for other lines."""
    if not line.startswith(b"{"):
        return None
    try:
        known: dict[str, Any] = msgspec.to_builtins(_EVENTS.decode(line))
    except NOT_THAT_JSON:
        return None
    return known


_Count = Annotated[int, msgspec.Meta(ge=0, le=10**15)]
_Time = Annotated[float, msgspec.Meta(ge=0, le=1e11)]  # seconds since the epoch; 0: not told

_Percent = Annotated[float, msgspec.Meta(ge=0, le=100)]


class _Start(msgspec.Struct, tag_field="event", tag="start"):
    finished: _Count = 0
    total: _Count = 0
    completion_tokens: _Count = 0
    time_s: _Time = 0.0


class _Progress(msgspec.Struct, tag_field="event", tag="progress"):
    done: _Count = 0
    total: _Count = 0
    completion_tokens: _Count = 0
    in_flight: _Count | None = None
    time_s: _Time = 0.0


class _Phase(msgspec.Struct, tag_field="event", tag="phase"):
    phase: str = ""


class _Trial(msgspec.Struct, tag_field="event", tag="trial"):
    trial: _Count = 0
    of: _Count = 0
    best: _Percent = 0.0
    seed: _Percent = 0.0
    calls: _Count = 0


class _Style(msgspec.Struct, tag_field="event", tag="style"):
    chosen: Literal["chat", "completion"]
    own: str = ""
    observed: str = ""


class _Error(msgspec.Struct, tag_field="event", tag="error"):
    kind: str = ""
    message: str = ""
    hint: str = ""


_EVENTS = msgspec.json.Decoder(_Start | _Progress | _Phase | _Trial | _Style | _Error)
