"""A benchmark's program that is started before it is known what it is to do.

`python -m scripts.sessions.standby MODULE` loads that program, then reads from the descriptor that `WAIT_VARIABLE`
names what `runner/standby.py` writes there, and is that program from then on.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import struct
import sys
from typing import Any

from settings.benchmarks import TASK_SIZE, WAIT_VARIABLE


def main(module: str) -> None:
    """Be that program, once it is known what it is to do; return where nobody needs it."""
    importlib.import_module(module)
    task = _read_task(int(os.environ[WAIT_VARIABLE]))
    if task is None:
        return
    os.environ.update(task["environment"])
    sys.argv[1:] = task["words"]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _read_task(descriptor: int) -> Any:
    """Of the words of a command line and an environment; None at the end of what can be read."""
    size = _read(descriptor, struct.calcsize(TASK_SIZE))
    return json.loads(_read(descriptor, struct.unpack(TASK_SIZE, size)[0])) if size else None


def _read(descriptor: int, size: int) -> bytes:
    """So many bytes, and none of those behind them; fewer at the end only."""
    data = b""
    while len(data) < size and (part := os.read(descriptor, size - len(data))):
        data += part
    return data


if __name__ == "__main__":
    main(sys.argv[1])
