"""Notes in the audit log how many wrong keys came from where, each minute: never one of them, and few rows."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from results.errors import BenchError

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)
MOST_NETWORKS = 10  # of one minute, by name: so a flood doesn't drive other rows out of the log
OTHERS = "other addresses"
WHO = "unknown sender"  # no user has a name with a space


class WrongKeys:
    """Counts them in the event loop's thread. note: writes a row of who, what and on; it is called in another thread.
    after_s: how long those of one row are counted.
    """

    def __init__(self, note: Callable[[str, str, str], None], *, after_s: float = 60.0) -> None:
        self._note = note
        self._after_s = after_s
        self._counts: dict[str, int] = {}

    def count(self, network: str) -> None:
        """Count one, from there."""
        if not self._counts:
            asyncio.get_running_loop().call_later(self._after_s, self._tell)
        name = network if network in self._counts or len(self._counts) < MOST_NETWORKS else OTHERS
        self._counts[name] = self._counts.get(name, 0) + 1

    def _tell(self) -> None:
        counts, self._counts = self._counts, {}
        asyncio.get_running_loop().run_in_executor(None, self._write, counts)

    def _write(self, counts: dict[str, int]) -> None:
        for network, count in counts.items():
            keys = "a wrong key" if count == 1 else f"{count} wrong keys within a minute"
            try:
                self._note(WHO, keys, network)
            except BenchError as error:  # a full disk keeps nobody from looking
                logger.warning("%s from %s could not be noted: %s", keys, network, error.message)
