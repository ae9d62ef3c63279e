"""What a carrier is: it brings an attempt's folder to where a machine finds it, and brings back what grows there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from engines.contract import Finding


class Carrier(Protocol):
    """Between the coordinator and the machines. Methods may be called from several threads, one an attempt."""

    def put(self, attempt: Path, name: str) -> str:
        """Bring the folder there, under a name that no other attempt has. Returns its address, which stands on the
        machine's command line and holds no secret. Raises ResultsError.
        """

    def program(self, address: str) -> tuple[str, ...]:
        """What a machine runs after `python`, in the checkout, to do it; words of `unit_program` may follow. Only for
        what this process has put: the words say what that was, so that nothing else is ever done there.
        """

    def fetch(self, address: str, attempt: Path) -> bool:
        """Bring what grew into the folder here, `end.json` last. Returns whether anything came. Only ever writes into
        that folder. A store that can't be reached for a while counts as one where nothing came; nothing is lost by
        that. Raises ResultsError if it can't be read for longer, or if what is there can't be right.
        """

    def remove(self, address: str) -> None:
        """Drop what the attempt needed there to be carried, once it was adopted. Idempotent. Raises ResultsError."""

    def check(self) -> Finding | None:
        """Whether it can be used from here: by a small file that is written, read and removed. Takes seconds."""
