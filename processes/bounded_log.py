"""A log that stays bounded, whatever is printed into it."""

from __future__ import annotations

import os

LOG_BYTES = 64 << 20  # of a log that one start may add; beyond it the beginning and the end are kept
LOG_KEPT_BYTES = 16 << 20  # of each
LOG_CHUNK_BYTES = 1 << 20


class Log:
    """The file to which the tree prints, kept below LOG_BYTES whatever it prints.

    All writers append, so that what is behind the beginning can be taken out under their hands: the end is copied
    forward and the rest cut off. What is printed between the last look at the end and the cut is lost too; a writer
    that has ended loses nothing of its last words.
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
        except OSError:  # no /proc, or not ours to read: it grows
            return

    def bound(self) -> None:
        """Take the middle out when there is too much, with a line that says so. A full disk, too, can't stop it."""
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
        )  # whole lines, where there are lines
        self.dropped += source - there - len(self.marker)
        self.marker = b"\n--- more than %d bytes are left out here ---\n" % self.dropped
        target = there + os.pwrite(self.fd, self.marker, there)
        for _ in range(LOG_BYTES // LOG_CHUNK_BYTES):  # to the end, which moves on meanwhile
            chunk = os.pread(self.fd, LOG_CHUNK_BYTES, source)
            if not chunk:
                break
            target += os.pwrite(self.fd, chunk, target)
            source += len(chunk)
        os.ftruncate(self.fd, target)
