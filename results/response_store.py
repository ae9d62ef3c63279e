"""Answers of model servers on disk, in one SQLite file of bounded size that several processes may use at once.

The rollback journal is used, not the write-ahead log, which a home folder on a network file system can't have. Every
value carries a checksum, so that a damaged file gives an error or nothing, never another answer.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.errors import ResultsError
from results.files import open_regular
from results.folders import cache_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

DEFAULT_LIMIT_BYTES = 2 << 30
_APPLICATION = 0x62726573
_VERSION = 1
_BUSY_S = 10.0  # another process's transaction takes milliseconds
_ROOM = 0.9  # of the limit, to which the oldest answers are removed
_TOUCH_S = 3600  # how exactly the last use is known
_ROW_BYTES = 200  # key, checksum, index entries and what a page loses, beside the value itself
_SCHEMA = """
CREATE TABLE responses (
    id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, value BLOB NOT NULL, digest BLOB NOT NULL, used_s INTEGER NOT NULL
);
CREATE INDEX by_use ON responses (used_s);
"""
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}


@dataclass(frozen=True, kw_only=True)
class StoreStats:
    """entries: answers kept; size_bytes: of the file; oldest_s, newest_s: when an answer was last used, Unix time."""

    entries: int
    size_bytes: int
    oldest_s: int | None = None
    newest_s: int | None = None


def store_path() -> Path:
    """Where the answers are kept."""
    return cache_folder() / "responses" / "responses.sqlite"


class ResponseStore:
    """The open file. Every method raises ResultsError, which says what is wrong with it; not thread-safe.

    limit_bytes: of the file; what was not used for longest is removed first.
    """

    def __init__(self, path: Path, *, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self.path = path
        self._limit_bytes = limit_bytes
        self._used: dict[bytes, None] = {}
        with self._explained("open"):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = open_regular(path, os.O_RDWR | os.O_CREAT)
            try:
                os.fchmod(descriptor, 0o600)  # answers may be private
            finally:
                os.close(descriptor)
            self._database = sqlite3.connect(
                path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
            )
        try:
            with self._explained("open"):
                self._prepare()
        except BaseException:
            self._database.close()
            raise

    def get(self, key: bytes) -> bytes | None:
        """The answer kept under the key, or None. One whose checksum is wrong is removed."""
        with self._explained("read"):
            found = self._database.execute(
                "SELECT value, digest, used_s FROM responses WHERE key = ?", (key,)
            ).fetchone()
            if found is None:
                return None
            value, digest, used_s = found
            if not isinstance(value, bytes) or _digest(key, value) != digest:
                with self._transaction():
                    self._database.execute("DELETE FROM responses WHERE key = ?", (key,))
                return None
            if time.time() - used_s > _TOUCH_S:
                self._used[key] = None
            return zlib.decompress(value)

    def put(self, items: Sequence[tuple[bytes, bytes]]) -> None:
        """Keep answers by their keys, all in one transaction. What is there already stays as it is."""
        now = int(time.time())
        packed = [(key, zlib.compress(value, 1)) for key, value in items]
        packed = [(key, value) for key, value in packed if _cost(value) <= self._limit_bytes / 4]
        with self._explained("write"):
            with self._transaction():
                self._touch(now)
                self._make_room(sum(_cost(value) for _, value in packed))
                self._database.executemany(
                    "INSERT OR IGNORE INTO responses (key, value, digest, used_s) VALUES (?, ?, ?, ?)",
                    [(key, value, _digest(key, value), now) for key, value in packed],
                )
            self._shrink()

    def stats(self) -> StoreStats:
        """What is kept."""
        with self._explained("read"):
            entries, oldest_s, newest_s = self._database.execute(
                "SELECT count(*), min(used_s), max(used_s) FROM responses"
            ).fetchone()
            return StoreStats(
                entries=entries,
                size_bytes=self.path.stat().st_size,
                oldest_s=oldest_s,
                newest_s=newest_s,
            )

    def clear(self) -> None:
        """Remove all answers, also while other processes use the file."""
        with self._explained("empty"):
            with self._transaction():
                self._database.execute("DELETE FROM responses")
            self._shrink()

    def close(self) -> None:
        """Can be called repeatedly. Raises nothing: what is lost is only when answers were last used."""
        try:
            if self._used:
                self.put(())
        except ResultsError:
            pass
        finally:
            self._used.clear()
            self._database.close()

    def _prepare(self) -> None:
        self._database.execute("PRAGMA synchronous = NORMAL")
        application, version = self._value("application_id"), self._value("user_version")
        is_new = not self._database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
        if is_new:
            self._database.execute("PRAGMA auto_vacuum = INCREMENTAL")
            with self._transaction():
                if not self._database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
                    for statement in _SCHEMA.split(";"):
                        self._database.execute(statement)
                    self._database.execute(f"PRAGMA application_id = {_APPLICATION}")
                    self._database.execute(f"PRAGMA user_version = {_VERSION}")
            return
        if application != _APPLICATION:
            raise ResultsError(f"{self.path} is a database of another program", hint="move it away")
        if version > _VERSION:
            raise ResultsError(f"{self.path} was written by a newer bench_runner", hint="update bench_runner")

    def _make_room(self, needed_bytes: int) -> None:
        """Remove what was not used for longest, if the file would become too large. Within a transaction."""
        if self._used_bytes() + needed_bytes <= self._limit_bytes:
            return
        while self._used_bytes() + needed_bytes > _ROOM * self._limit_bytes:
            (entries,) = self._database.execute("SELECT count(*) FROM responses").fetchone()
            if not entries:
                return
            self._database.execute(
                "DELETE FROM responses WHERE id IN (SELECT id FROM responses ORDER BY used_s, id LIMIT ?)",
                (1 + entries // 20,),
            )

    def _touch(self, now: int) -> None:
        self._database.executemany(
            "UPDATE responses SET used_s = ? WHERE key = ?", [(now, key) for key in self._used]
        )
        self._used.clear()

    def _used_bytes(self) -> int:
        return (self._value("page_count") - self._value("freelist_count")) * self._value("page_size")

    def _shrink(self) -> None:
        """Give back the pages of what was removed."""
        if self._value("freelist_count"):
            self._database.executescript("PRAGMA incremental_vacuum")  # execute() would free a single page

    def _value(self, pragma: str) -> int:
        return int(self._database.execute(f"PRAGMA {pragma}").fetchone()[0])

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._database.execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, zlib.error) as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in _DAMAGED:
                hint = "it is damaged: remove it with `./bench_runner.py cache clear`"
            elif code in _FULL:
                hint = "free some space there, or set another place with XDG_CACHE_HOME"
            else:
                hint = "set another place with XDG_CACHE_HOME, or leave --cache out"
            raise ResultsError(
                f"cannot {doing} the kept answers in {self.path}: {error}", hint=hint
            ) from error


def remove_store(path: Path) -> int:
    """Empty the file, or delete one that can't be read. Returns the freed bytes. Raises ResultsError."""
    try:
        before = path.stat().st_size
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise ResultsError(f"cannot read {path}: {error.strerror}", hint="check XDG_CACHE_HOME") from error
    try:
        store = ResponseStore(path)
        try:
            store.clear()
        finally:
            store.close()
        return max(0, before - path.stat().st_size)
    except ResultsError as error:
        if getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF not in _DAMAGED:
            raise
    try:
        path.with_name(f"{path.name}-journal").unlink(missing_ok=True)
        path.unlink(missing_ok=True)
    except OSError as error:
        raise ResultsError(f"cannot remove {path}: {error.strerror}", hint="check its permissions") from error
    return before


def _digest(key: bytes, value: bytes) -> bytes:
    return hashlib.blake2b(key + value, digest_size=8).digest()


def _cost(value: bytes) -> int:
    return len(value) + _ROW_BYTES
