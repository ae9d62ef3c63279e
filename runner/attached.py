"""Find the processes of a server that we didn't start, so that they can be measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from processes.tree import descendants
from servers.ports import port_holder

if TYPE_CHECKING:
    from settings.base_url import BaseUrl


class AttachedServer:
    """The process that listens at the URL on this machine, and its descendants."""

    def __init__(self, base_url: BaseUrl) -> None:
        self._port = base_url.port if base_url.is_local else None
        self._pid: int | None = None

    def tree(self) -> frozenset[int]:
        """Pids of its living processes; empty for a server on another machine or of another user."""
        if self._port is None:
            return frozenset()
        if self._pid is None or not Path(f"/proc/{self._pid}").exists():  # it may have been restarted
            holder = port_holder(self._port)
            self._pid = None if holder is None else holder.pid
        if self._pid is None:
            return frozenset()
        return frozenset({self._pid, *(member.pid for member in descendants(self._pid))})
