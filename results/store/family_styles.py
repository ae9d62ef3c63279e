"""In which style the models of a sweep are asked: decided once for each family, by the first of its models.

RESULTS/sweeps/ID/styles/FAMILY.json     the decision
RESULTS/sweeps/ID/styles/FAMILY.lock     held by the worker whose run decides
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import msgspec

from results.durable import explained, replace_file
from results.files import read_file
from results.json_text import NOT_THAT_JSON, encode_indented
from results.locks import lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class FamilyStyle(msgspec.Struct, frozen=True, kw_only=True):
    """A decision. style: "chat" or "completion". because: what was seen. decided_by: the model, and run_id: its run."""

    style: str
    because: str
    decided_by: str
    run_id: str


class StyleClaim:
    """What a run knows of its family's style. known: the decision; None if this run is to make it."""

    def __init__(self, path: Path, known: FamilyStyle | None, held: contextlib.ExitStack) -> None:
        self.known = known
        self._path = path
        self._held = held

    def decide(self, style: FamilyStyle) -> None:
        """Note the decision durably, and let others go on. Raises ResultsError."""
        with explained("write", self._path):
            replace_file(self._path, encode_indented(style))
        self.known = style
        self.leave()

    def leave(self) -> None:
        """Let others go on, also without a decision. Is idempotent."""
        self._held.close()


class FamilyStyles(msgspec.Struct, frozen=True):
    """The decisions of one sweep, in its folder `path`."""

    path: Path

    def known(self, family: str) -> FamilyStyle | None:
        """The decision, if there is one that can be read."""
        with contextlib.suppress(OSError, *NOT_THAT_JSON):
            return msgspec.json.decode(read_file(self._file(family)), type=FamilyStyle)
        return None

    def note(self, family: str, style: FamilyStyle) -> None:
        """Note a decision that an earlier run made, if there is none. Raises ResultsError."""
        with self.claim(family) as claim:
            if claim.known is None:
                claim.decide(style)

    @contextlib.contextmanager
    def claim(self, family: str) -> Iterator[StyleClaim]:
        """What is decided for the family; if nothing is, the right to decide, until `leave` or the end of the block.

        Waits while another worker has that right. Raises ResultsError.
        """
        with contextlib.ExitStack() as held:
            known = self.known(family)
            if known is None:
                lock_file = self.path / f"{family}.lock"
                with explained("write", lock_file):
                    self.path.mkdir(exist_ok=True)
                    held.enter_context(lock(lock_file))
                known = self.known(family)  # the worker before us has decided
                if known is not None:
                    held.close()
            yield StyleClaim(self._file(family), known, held)

    def _file(self, family: str) -> Path:
        return self.path / f"{family}.json"
