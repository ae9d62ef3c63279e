"""Where attempts at Modal lie: each handle says in which Volume or object store, so that other settings lose none."""

from __future__ import annotations

import contextlib
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from engines.carriers.blobs import CLAIM, BlobCarrier
from engines.carriers.object_store import object_store
from results.errors import ResultsError
from results.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines.contract import Attempt
    from engines.modal.service import Service
    from engines.modal.settings import Settings

NOBODY: Final = "nobody"  # the claim to an attempt that must not begin
STARTING: Final = "starting"  # instead of a call: it may have begun, or not
_VOLUME: Final = "volume:"
_CALL: Final = re.compile(r"fc-[A-Za-z0-9]{1,64}")


@dataclass(frozen=True)
class Handle:
    """What an attempt is known by. call: its id, or STARTING. place: "volume:NAME", or the address of a store."""

    call: str
    place: str

    @property
    def text(self) -> str:
        return f"{self.call} {self.place}"


class Places:
    """Those of one sweep. Methods raise UsageError for a place that can't be used here, and ResultsError."""

    def __init__(self, settings: Settings, service: Service) -> None:
        self.here = settings.results_store or f"{_VOLUME}{settings.volume}"
        self._service = service
        self._lock = threading.Lock()
        self._carriers: dict[str, BlobCarrier] = {}

    def handle(self, attempt: Attempt) -> Handle:
        """Of an attempt that was started."""
        call, _, place = attempt.handle.partition(" ")
        return Handle(call, place or self.here)

    def carrier(self, place: str) -> BlobCarrier:
        with self._lock:
            if place not in self._carriers:
                self._carriers[place] = self._new(place)
            return self._carriers[place]

    def carrier_of(self, attempt: Attempt) -> BlobCarrier:
        return self.carrier(self.handle(attempt).place)

    def address(self, attempt: Attempt) -> str:
        """Where coordinators find it."""
        place = self.handle(attempt).place
        return f"{'' if place.startswith(_VOLUME) else place.rstrip('/')}/{attempt.name}"

    def address_there(self, attempt: Attempt) -> str:
        """Where its machine finds it: below the mounted Volume, or in the store."""
        return self.address(attempt).lstrip("/")

    def fetch(self, attempt: Attempt) -> bool:
        return self.carrier_of(attempt).fetch(self.address(attempt), attempt.folder)

    def has_all(self, attempt: Attempt) -> bool:
        return self.carrier_of(attempt).has_all(self.address(attempt))

    def remove(self, attempt: Attempt) -> None:
        self.carrier_of(attempt).remove(self.address(attempt))

    def claim(self, attempt: Attempt) -> str | None:
        """The call that does it, or NOBODY; None if none has begun."""
        with _as_results_error():
            found = self.carrier_of(attempt).blobs(self.address(attempt)).get(CLAIM, 200)
        if found is None:
            return None
        text = found.decode(errors="replace")
        return text if _CALL.fullmatch(text) else NOBODY

    def forbid(self, attempt: Attempt) -> None:
        """Claim it for nobody, so that no call begins it any more."""
        with _as_results_error():
            self.carrier_of(attempt).blobs(self.address(attempt)).put(CLAIM, NOBODY.encode())

    def _new(self, place: str) -> BlobCarrier:
        if not place.startswith(_VOLUME):
            return object_store(place)
        volume = place.removeprefix(_VOLUME)
        return BlobCarrier(
            "",
            self._service.with_volume(volume).blobs,
            called=f"the Volume {volume} at Modal",
            hint="look at `modal volume ls`, and resume the sweep later",
        )


@contextlib.contextmanager
def _as_results_error() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResultsError(
            f"the store for results can't be used: {plain(str(error))}", hint="try again later"
        ) from error
