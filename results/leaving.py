"""End a Python process without taking the interpreter apart, which takes 40 ms once much is imported."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from typing import NoReturn

from results.errors import Reported


def leave(code: int) -> NoReturn:
    """End at once with this exit code, as Python does at its end, except freeing memory.

    Threads end where they are: those that have something to finish must have ended by now.
    """
    atexit._run_exitfuncs()  # noqa: SLF001 - its name
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # closed
            with contextlib.suppress(OSError, ValueError, Reported):
                stream.flush()
    os._exit(code)
