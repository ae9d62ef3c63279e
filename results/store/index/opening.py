"""Open the index of a results folder, and keep it up to date as long as it is used."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

from results.errors import ResultsError
from results.store.index.database import IndexDatabase, OtherFolder
from results.store.index.files import signature_of
from results.store.index.sql_run_store import SqlRunStore
from results.store.removal import UNLOGGED
from results.store.run_log import RUN_LOG_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Self

_LOOK_S = 0.5  # between two looks at the runs in progress, and at the folder
_AGAIN_S = 600.0  # after the same damage, an index is made anew no sooner
_WHOLE_S = 20.0  # between two looks at every run, since a hand may have changed one


def open_run_store(results_dir: Path, database_url: str | None = None) -> SqlRunStore:
    """The runs of that folder through their index, in PostgreSQL if a URL is given. Nothing is read yet: use
    `Following`, or call `refresh`. If the index there is of another results folder, both say so, and
    the folders answer.

    Raises ResultsError if the extra `serve` is not installed or the database can't be reached, UsageError for its URL.
    """
    store = SqlRunStore(IndexDatabase(results_dir.absolute(), database_url))
    results_dir.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(OtherFolder), store.database.writing(within_s=0):
        pass
    return store


@contextlib.contextmanager
def up_to_date(results_dir: Path) -> Iterator[SqlRunStore | None]:
    """The index of the folder, where there is one; None if it can't be brought up to date at once, or left a folder
    out. Raises ResultsError.
    """
    store = SqlRunStore(IndexDatabase(results_dir))
    try:
        usable = store.database.is_there() and store.refresh(within_s=0) and not store.skipped()
        yield store if usable and not store.damaged else None
    finally:
        store.database.dispose()


class Following:
    """Keeps an index up to date in a thread, from `with` to its end. A finished run is there within a second or so.

    warn: called with what goes wrong, once each; it goes on. then: called in the thread after every change.
    """

    def __init__(
        self,
        store: SqlRunStore,
        *,
        warn: Callable[[str], None] = lambda _: None,
        then: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._warn = warn
        self._then = then
        self._stop = threading.Event()
        self._progress: tuple[int, int] | None = None
        self._thread = threading.Thread(target=self._follow, name="index", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def progress(self) -> tuple[int, int] | None:
        """How many changed runs were read, of how many; None if nothing is to be read."""
        return self._progress

    def _follow(self) -> None:
        seen: object = None
        told: set[str] = set()
        repaired: dict[str, float] = {}
        looked = version = ""
        due = 0.0
        self._store.damaged = self._store.database.check_whole()
        while not self._stop.is_set():
            try:
                now = self._state()
                damage, now_s = self._store.damaged, time.monotonic()
                if damage and now_s - repaired.get(damage, now_s - _AGAIN_S) >= _AGAIN_S:
                    self._warn(f"the index of the runs is damaged and made anew: {damage}")
                    self._store.indexer.rebuild(said=self._note)
                    repaired[damage] = (
                        time.monotonic()
                    )  # what comes again at once is none: the folders answer
                    self._store.damaged = ""
                if now != seen or time.monotonic() >= due:
                    if self._refresh():
                        seen, due = now, time.monotonic() + _WHOLE_S
                else:
                    self._store.indexer.follow_running()
                looked = self._store.version()
            except _Stopped:
                return
            except ResultsError as error:
                if error.message not in told:
                    told.add(error.message)
                    self._warn(error.message)
            if looked != version:
                version = looked
                self._then()
            self._stop.wait(_LOOK_S)

    def _refresh(self) -> bool:
        try:
            return self._store.indexer.refresh(within_s=0, said=self._note)
        finally:
            self._progress = None

    def _note(self, done: int, of: int) -> None:
        self._progress = (done, of) if done < of else None
        if self._stop.is_set():
            raise _Stopped

    def _state(self) -> object:
        """Changes when a run begins, is resumed, ends, is deleted or gets a label: few files to look at."""
        results_dir, found = self._store.results_dir, []
        for path in (results_dir, results_dir / RUN_LOG_NAME):
            with contextlib.suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime_ns, status.st_size, status.st_ino))
        # A run that is resumed is noted there first, and then writes its record.
        with contextlib.suppress(OSError):
            noted = sorted(note.name for note in (results_dir / UNLOGGED).iterdir())
            return found, [(name, signature_of(results_dir, name).split(" ")[0]) for name in noted]
        return found, []


class _Stopped(Exception):
    """The thread is to end."""
