"""Limit the size of a log, whatever is printed into it."""

from __future__ import annotations

import os

LOG_BYTES = 64 << 20  # one start may add this much; of a longer log, the beginning and the end are kept
LOG_KEPT_BYTES = 16 << 20  # how much of each is kept
LOG_CHUNK_BYTES = 1 << 20


class Log:
    """The file to which the process tree prints, kept below LOG_BYTES.

    All writers append, so the middle can be removed while they write: the end is copied forward and the rest cut off.
    Text printed between the last look at the end and the cut is lost too, but the last words of a process that has
    ended are not.
    """

    def __init__(self, fd: int) -> None:
        self.fd = -1
        self.dropped = 0
        self.marker = b""
        try:
            status = os.fstat(fd)
            self.began = status.st_size
            if status.st_mode & 0o170000 == 0o100000:  # a regular file
                self.fd = os.open(f"/proc/self/fd/{fd}", os.O_RDWR | os.O_CLOEXEC)
        except OSError:  # no /proc, or not readable: the log just grows
            return

    def bound(self) -> None:
        """Remove the middle if the log is too long, leaving a line that says so. Never raises, even on a full disk."""
        try:
            if self.fd >= 0 and os.fstat(self.fd).st_size - self.began > LOG_BYTES:
                self.cut()
        except OSError:
            return

    def cut(self) -> None:
        there = self.began + LOG_KEPT_BYTES
        source = os.fstat(self.fd).st_size - LOG_KEPT_BYTES
        source += (
            os.pread(self.fd, LOG_CHUNK_BYTES, source).find(b"\n") + 1
        )  # start at a whole line, if there are lines
        self.dropped += source - there - len(self.marker)
        self.marker = b"\n--- more than %d bytes are left out here ---\n" % self.dropped
        target = there + os.pwrite(self.fd, self.marker, there)
        for _ in range(LOG_BYTES // LOG_CHUNK_BYTES):  # up to the end, which moves meanwhile
            chunk = os.pread(self.fd, LOG_CHUNK_BYTES, source)
            if not chunk:
                break
            target += os.pwrite(self.fd, chunk, target)
            source += len(chunk)
        os.ftruncate(self.fd, target)
