"""Make stdin, stdout and stderr safe: one may be closed, or its reader may go away.

Neither stops the work: a run of several hours doesn't fail because nobody is watching it any more.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING

from results.errors import ResultsError

if TYPE_CHECKING:
    from typing import TextIO

    from _typeshed import ReadableBuffer

_NOBODY_READS = {errno.EPIPE, errno.EIO}  # EIO: the terminal was closed


def prepare_streams() -> None:
    """Open closed streams, and ignore missing readers. Call it once, before opening any file."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # otherwise the next file that is opened would become stdout or stderr
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
            os.set_inheritable(number, True)
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - not a path
    sys.stdout = _text(sys.stdout, _Output(1, "wb", closefd=False))
    sys.stderr = _text(sys.stderr, _Output(2, "wb", closefd=False))


class _Output(io.FileIO):
    """Drops output that can't be written to stderr or that has no reader any more.

    If stdout can't be written for another reason, such as a full disk, it raises ResultsError once.
    """

    _failed = False

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if self.fileno() == 1 and error.errno not in _NOBODY_READS and not self._failed:
                self._failed = True
                raise ResultsError(f"cannot write to stdout: {error.strerror}") from error
            return memoryview(data).nbytes


def _text(before: TextIO | None, raw: _Output) -> TextIO:
    if not isinstance(before, io.TextIOWrapper):
        return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace")
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=before.encoding,
        errors="backslashreplace",  # otherwise a name that its encoding lacks would give a traceback
        line_buffering=before.line_buffering,
    )
