"""The processes of a server that somebody else runs, so that measuring finds them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from processes.tree import descendants
from servers.ports import port_holder

if TYPE_CHECKING:
    from settings.base_url import BaseUrl


class AttachedServer:
    """Whoever listens at the URL, on this machine, with all that descends from it."""

    def __init__(self, base_url: BaseUrl) -> None:
        self._port = base_url.port if base_url.is_local else None
        self._pid: int | None = None

    def tree(self) -> frozenset[int]:
        """Pids of its living processes; () for a server elsewhere, or of another user."""
        if self._port is None:
            return frozenset()
        if self._pid is None or not Path(f"/proc/{self._pid}").exists():  # it may have been started anew
            holder = port_holder(self._port)
            self._pid = None if holder is None else holder.pid
        if self._pid is None:
            return frozenset()
        return frozenset({self._pid, *(member.pid for member in descendants(self._pid))})
