"""Whole answers that are given again until a run changes."""

from __future__ import annotations

import threading
from typing import Any

_MOST_KEPT = 64


class KeptAnswers:
    """By what was asked, of one version of the store. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._version = ""
        self._found: dict[tuple[Any, ...], bytes] = {}

    def get(self, version: str, key: tuple[Any, ...]) -> bytes | None:
        """The answer that was kept for that version."""
        with self._lock:
            return self._found.get(key) if version == self._version else None

    def keep(self, version: str, key: tuple[Any, ...], found: bytes) -> None:
        """Keep an answer, and forget those of other versions."""
        with self._lock:
            if version != self._version or len(self._found) >= _MOST_KEPT:
                self._version, self._found = version, {}
            self._found[key] = found
