"""What was used up or ended before its time: links that began a session, and sessions that were signed out.

A file beside the secret, so that a restart doesn't make them good again. Only the one `serve` of the folder uses it.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import threading
import time
from typing import TYPE_CHECKING

from results.durable import explained, replace_file, sync_folder

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)
SPENT_FILE = "sessions.ended"
_MOST_EXPIRED = 1000
_LINE = re.compile(r"([A-Za-z0-9_-]{1,40}) ([0-9]{1,12})", re.ASCII)


class Spent:
    """The nonces that open nothing any more, each until it expires anyway. Safe to use from several threads."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._until: dict[str, int] | None = None
        self._most = _MOST_EXPIRED  # with more, it is time to leave out what has expired
        self._is_torn = False  # whether its last line may be half written

    def has(self, nonce: str) -> bool:
        """Whether it is one of them. Raises ResultsError if the file can't be read."""
        if self._until is not None:
            return nonce in self._until
        with self._lock:
            return nonce in self._read_once()

    def add(self, nonce: str, expires_at: int) -> bool:
        """Note it, for good as soon as this returns; False if it was noted before. Raises ResultsError if the file
        can't be read. If it can't be written, as on a full disk, this holds as long as this process lives.
        """
        with self._lock:
            until = self._read_once()
            if nonce in until:
                return False
            until[nonce] = expires_at
            try:
                if len(until) > self._most or self._is_torn:
                    self._write_anew()
                else:
                    self._append(f"{nonce} {expires_at}\n")
            except OSError as error:
                self._is_torn = True
                logger.warning(
                    "%s can't be written (%s): a session that was signed out, or a link that was used, will work again "
                    "after a restart; `keys revoke links` ends all",
                    self._file,
                    error.strerror,
                )
        return True

    def _read_once(self) -> dict[str, int]:
        """What the file says, which is then written anew without what has expired, or was torn by a crash."""
        if self._until is None:
            text = ""
            with explained("read", self._file), contextlib.suppress(FileNotFoundError):
                text = self._file.read_text("ascii", "replace")
            lines = [found for found in map(_LINE.fullmatch, text.splitlines()) if found]
            self._until = {found[1]: int(found[2]) for found in lines}
            if text:
                try:
                    self._write_anew()
                except OSError:  # a full disk keeps nobody from looking
                    self._is_torn = True
        return self._until

    def _write_anew(self) -> None:
        """Without what has expired. Raises OSError; then the file is as it was."""
        now = time.time()
        kept = {nonce: end for nonce, end in (self._until or {}).items() if end > now}
        replace_file(self._file, "".join(f"{nonce} {end}\n" for nonce, end in kept.items()).encode())
        self._until, self._most, self._is_torn = kept, 2 * len(kept) + _MOST_EXPIRED, False

    def _append(self, line: str) -> None:
        is_new = not self._file.exists()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._file, flags, 0o600)
        try:
            if os.write(descriptor, line.encode()) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            sync_folder(self._file.parent)
