"""The server's own counters over a whole run, in which the server may be started anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

    from results.telemetry import ServerReading

_GROWING = (
    "prompt_tokens",
    "cached_prompt_tokens",
    "generation_tokens",
    "queue_s",
    "prompt_s",
    "generation_s",
    "draft_tokens",
    "accepted_draft_tokens",
)


class ServerMetrics:
    """The server's counters made continuous: they keep growing when the server is restarted.

    fetch: what the server's `/metrics` say now; None when they say nothing. Tokens between the last reading before a
    server's death and the death itself are lost, and so is a restart that outgrew the last reading unseen.
    """

    def __init__(self, fetch: Callable[[], ServerReading | None]) -> None:
        self._fetch = fetch
        self._last: dict[str, float] = {}
        self._before: dict[str, float] = {}  # counted by servers that are gone

    def read(self) -> ServerReading | None:
        """None: it says nothing. What `fetch` raises passes through."""
        reading = self._fetch()
        return None if reading is None else msgspec.structs.replace(reading, **dict(self._continued(reading)))

    def _continued(self, reading: ServerReading) -> list[tuple[str, float]]:
        grown = []
        for name in _GROWING:
            value = getattr(reading, name)
            if value is None:
                continue
            last = self._last.get(name, 0.0)
            if value < last:
                self._before[name] = self._before.get(name, 0.0) + last
            self._last[name] = value
            grown.append((name, self._before.get(name, 0.0) + value))
        return grown
