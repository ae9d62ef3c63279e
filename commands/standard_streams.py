"""stdin, stdout and stderr as a command finds them: one may be closed, and whoever reads one may go away.

Neither ends the work: a run that takes hours does not fail because nobody watches it any more.
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
    """Open what is closed, and let no output raise because nobody reads it. Call it once, before anything is opened."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # else the next file that is opened would become stdout or stderr
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number, which is this one
            os.set_inheritable(number, True)
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - not a path
    sys.stdout = _text(sys.stdout, _Output(1, "wb", closefd=False))
    sys.stderr = _text(sys.stderr, _Output(2, "wb", closefd=False))


class _Output(io.FileIO):
    """What can't be written to stderr, or has no reader any more, is dropped.

    What can't be written to stdout for another reason (a full disk) raises ResultsError, once.
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
        errors="backslashreplace",  # else a name that its encoding lacks would be a traceback
        line_buffering=before.line_buffering,
    )
