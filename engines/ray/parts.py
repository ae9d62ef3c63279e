"""What a node sends of one attempt, put together and written into the attempt's folder here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engines.carriers.packs import MOST_BYTES, WrongPack, unpack, write_piece

if TYPE_CHECKING:
    from engines.carriers.received_files import ReceivedFiles


class Parts:
    """One attempt's, from its first part on."""

    def __init__(self, files: ReceivedFiles) -> None:
        self._files = files
        self._held = bytearray()

    def add(self, data: bytes, *, is_last: bool) -> None:
        """is_last: with it, a pack is whole. Raises WrongPack, and ResultsError if the disk is full, for example."""
        self._held += data
        if len(self._held) > MOST_BYTES:
            raise WrongPack.of("it is longer than one of ours")
        if is_last:
            for piece in unpack(bytes(self._held))[0]:
                write_piece(self._files, piece)
            self._held.clear()
