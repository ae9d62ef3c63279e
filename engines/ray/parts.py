"""What a node sends of one attempt, put together and written into the attempt's folder here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engines.carriers.changes import MOST_BYTES, Bounds, WrongPack, apply, unpack
from engines.node.attempt_files import UNIT

if TYPE_CHECKING:
    from pathlib import Path


class Parts:
    """One attempt's, from its first part on. bounds: how much it may be."""

    def __init__(self, folder: Path, bounds: Bounds | None = None) -> None:
        self._folder = folder
        self._bounds = bounds or Bounds()
        self._held = bytearray()

    def add(self, data: bytes, *, is_last: bool) -> None:
        """is_last: with it, a pack is whole. Raises WrongPack, and ResultsError if the disk is full, for example."""
        self._held += data
        if len(self._held) > MOST_BYTES:
            raise WrongPack.of("it is longer than one of ours")
        if is_last:
            apply(unpack(bytes(self._held))[0], self._folder, keep=(UNIT,), bounds=self._bounds)
            self._held.clear()
