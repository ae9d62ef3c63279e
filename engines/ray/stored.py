"""An attempt's folder that goes through an object store, instead of through its task's arguments and results."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Final

from results.errors import ResultsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from engines.carriers.contract import Carrier

FETCH_S: Final = 0.5


class Stored:
    """One attempt's. Raises ResultsError if it can't be put there."""

    def __init__(self, carrier: Carrier, folder: Path, name: str) -> None:
        self._carrier = carrier
        self._folder = folder
        self._address = carrier.put(folder, name)
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
            while self._carrier.fetch(self._address, self._folder):
                pass
            self._carrier.remove(self._address)

    def _fetch(self, on_error: Callable[[ResultsError], None]) -> None:
        try:
            while not self._over.wait(FETCH_S):
                self._carrier.fetch(self._address, self._folder)
        except ResultsError as error:
            on_error(error)
