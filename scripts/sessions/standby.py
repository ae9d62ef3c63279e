"""A program that is started before it is known which benchmark's it is to be: `python -m scripts.sessions.standby`.

It loads what most of them need, until there is something to read at the descriptor that `WAIT_VARIABLE` names. That is
what `runner/script/standby.py` writes; from then on, it is that program.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import select
import struct
import sys
from typing import Any

from evaluation.models.providers import no_certificates
from results.standby import TASK_SIZE, WAIT_VARIABLE

LOADED = (  # in an order in which what takes longest to be ready comes first
    "scripts.arguments",
    "scripts.program",
    "sandbox.opening",
    "sandbox.pool",
    "sandbox.bubblewrap",
    "scripts.session",
    "evaluation.models.openai_interface",
)


def main() -> None:
    """Be that program, once it is known what it is to do; return where nobody needs it."""
    line = int(os.environ[WAIT_VARIABLE])
    with no_certificates():  # who needs some reads them itself
        for name in LOADED:
            if select.select([line], [], [], 0)[0]:
                break
            importlib.import_module(name)
    task = _read_task(line)
    if task is None:
        return
    os.environ.update(task["environment"])
    sys.argv[1:] = task["words"]
    runpy.run_module(task["module"], run_name="__main__", alter_sys=True)


def _read_task(descriptor: int) -> Any:
    """None where the harness has ended, or needs it no more."""
    head = _read(descriptor, struct.calcsize(TASK_SIZE))
    if not head:
        return None
    (size,) = struct.unpack(TASK_SIZE, head)
    task = _read(descriptor, size)
    return json.loads(task) if len(task) == size else None


def _read(descriptor: int, size: int) -> bytes:
    """So many bytes, and none of those behind them; fewer at the end only."""
    data = b""
    while len(data) < size and (part := os.read(descriptor, size - len(data))):
        data += part
    return data


if __name__ == "__main__":
    main()
