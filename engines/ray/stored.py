"""An attempt's folder that goes through an object store, instead of through its task's arguments and results."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Final

from engines.carriers.object_store import object_store
from results.errors import BenchError, ResultsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from engines.carriers.blobs import BlobCarrier
    from engines.contract import Attempt

FETCH_S: Final = 0.5
FIRST_WAIT_S, MOST_WAIT_S = 1.0, 60.0  # between tries to put an attempt there
_THROUGH: Final = " through "


class Stored:
    """One attempt's. It is put there, also into a store that is away for a while: raises ResultsError only once
    `stopped` is set. There it stays until it was adopted, see `Kept`.
    """

    def __init__(self, carrier: BlobCarrier, folder: Path, name: str, stopped: threading.Event) -> None:
        self._carrier = carrier
        self._folder = folder
        self._address = _put(carrier, folder, name, stopped)
        self._over = threading.Event()

    @property
    def program(self) -> tuple[str, ...]:
        """What the node runs after `python`."""
        return self._carrier.program(self._address)

    @contextlib.contextmanager
    def fetched(self, on_error: Callable[[ResultsError], None]) -> Iterator[None]:
        """While the block runs, bring what grows there, and the rest at its end. on_error: it can't be read."""
        fetching = threading.Thread(target=self._fetch, args=(on_error,), daemon=True)
        fetching.start()
        try:
            yield
        finally:
            self._over.set()
            fetching.join()
            self._carrier.fetch_the_rest(self._address, self._folder)

    def _fetch(self, on_error: Callable[[ResultsError], None]) -> None:
        try:
            while not self._over.wait(FETCH_S):
                self._carrier.fetch(self._address, self._folder)
        except ResultsError as error:
            on_error(error)


def _put(carrier: BlobCarrier, folder: Path, name: str, stopped: threading.Event) -> str:
    wait_s = FIRST_WAIT_S
    while True:
        try:
            return carrier.put(folder, name)
        except ResultsError:
            if stopped.wait(wait_s):
                raise
            wait_s = min(2 * wait_s, MOST_WAIT_S)


class Kept:
    """What attempts have left in their store, as the coordinator finds it after their driver. say: for its user."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._wanting: set[str] = set()  # attempts of which not all could be brought here

    def bring_the_rest(self, attempt: Attempt) -> None:
        """Of a driver that is gone."""
        try:
            if (carrier := _carrier_of(attempt)) is not None:
                carrier.fetch_the_rest(carrier.address(attempt.name), attempt.folder)
        except BenchError as error:
            self._wanting.add(attempt.name)
            self._say(f"note: {attempt.unit.label}: {error.message}; what had come by then is kept")

    def remove(self, attempt: Attempt) -> None:
        """Once it was adopted."""
        try:
            if attempt.name not in self._wanting and (carrier := _carrier_of(attempt)) is not None:
                carrier.remove(carrier.address(attempt.name))
        except BenchError as error:
            self._say(f"note: {error.message}")


def handle(job: str, address: str, results_store: str) -> str:
    """Of an attempt: what a later coordinator needs, whatever its own settings say."""
    return f"job {job} at {address}" + (f"{_THROUGH}{results_store}" if results_store else "")


def _carrier_of(attempt: Attempt) -> BlobCarrier | None:
    """None if it went through Ray itself. Raises UsageError."""
    url = attempt.handle.partition(_THROUGH)[2]
    return object_store(url) if url else None
