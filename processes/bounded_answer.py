"""Ask a program on another machine for something short. It may print without end: only so much is read of it."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

from processes.readable import readable

if TYPE_CHECKING:
    from collections.abc import Sequence

_PART_BYTES = 1 << 16


def bounded_answer(
    command: Sequence[str], *, timeout_s: float, most_bytes: int
) -> subprocess.CompletedProcess[bytes]:
    """Its end and what it printed. A program that prints more than most_bytes is killed, and its status is then -9.

    Raises OSError if it can't be started, and subprocess.TimeoutExpired after timeout_s.
    """
    deadline = time.monotonic() + timeout_s
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with process:  # closes its pipes and reaps it
        try:
            streams = [stream.fileno() for stream in (process.stdout, process.stderr) if stream is not None]
            said = {stream: bytearray() for stream in streams}
            is_open = set(streams)
            while is_open:
                ready = readable(is_open, deadline - time.monotonic())
                if not ready:
                    raise subprocess.TimeoutExpired(command, timeout_s)
                for stream in ready:
                    part = os.read(stream, _PART_BYTES)
                    said[stream] += part
                    if not part:
                        is_open.discard(stream)
                if sum(map(len, said.values())) > most_bytes:
                    process.kill()
                    break
            status = process.wait(max(0.0, deadline - time.monotonic()))
        finally:
            process.kill()
    output, errors = (bytes(said[stream][:most_bytes]) for stream in streams)
    return subprocess.CompletedProcess(command, status, output, errors)
