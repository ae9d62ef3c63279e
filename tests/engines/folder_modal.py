"""Modal as folders: its calls only begin and end when a test says so, and requests to it fail when a test says so."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from engines.carriers.blobs import CLAIM, FROM, TO, pack_name
from engines.carriers.folder_blobs import FolderBlobs
from engines.carriers.growing_files import Piece
from engines.carriers.packs import pack
from engines.contract import EndKind
from engines.modal.engine import ModalEngine
from engines.node.attempt_files import NodeEnd
from results.errors import ResultsError
from results.json_text import encode

if TYPE_CHECKING:
    from pathlib import Path

    from engines.modal.settings import Settings


@dataclass
class FolderModal:
    """In place of `Service`. failing: how many requests to start a call fail yet. over: how calls ended."""

    folder: Path
    volume: str
    failing: int = 0
    calls: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    over: dict[str, str] = field(default_factory=dict)

    def with_volume(self, name: str) -> FolderModal:
        return replace(self, volume=name)

    def blobs(self, address: str) -> FolderBlobs:
        return FolderBlobs(self.folder / self.volume / address.lstrip("/"))

    def spawn(self, name: str, deployment: str, sha256: str) -> str:
        if self.failing:
            self.failing -= 1
            raise ResultsError("Modal failed: no route to it", hint="try again later")
        assert self.blobs(name).get(pack_name(TO, 1), 1) is not None
        self.calls.append(f"fc-{len(self.calls) + 1}")
        return self.calls[-1]

    def ended(self, call_id: str) -> str | None:
        return self.over.get(call_id)

    def cancel(self, call_id: str, *, kill: bool) -> None:
        self.cancelled.append(call_id)

    def begin(self, name: str, call: str) -> None:
        """A machine begins with the attempt."""
        self.blobs(name).put(CLAIM, call.encode())

    def finish(self, name: str) -> None:
        """Its machine comes to the end."""
        end = Piece("end.json", 0, encode(NodeEnd(kind=EndKind.DONE)), replaces=True)
        self.blobs(name).put(pack_name(FROM, 1), pack([end], last=True))


def engine(settings: Settings, said, modal: FolderModal) -> ModalEngine:
    return ModalEngine(settings, said, modal)
