"""Ask a program for something that it answers soon, such as its version or its options."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def answer_of(
    command: Sequence[str],
    *,
    timeout_s: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Its end and what it printed. It does not stay behind, whenever a signal interrupts this. env: its whole
    environment, if not ours.

    Raises OSError if it can't be started, and subprocess.TimeoutExpired after `timeout_s`.
    """
    started: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        started.append(
            subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=cwd,
                env=env,
            )
        )

    # Signals interrupt the main thread only: within `Popen` one would lose the process that was just started.
    starting = ThreadPoolExecutor(1)
    try:
        starting.submit(start).result()
        (process,) = started
        output, errors = process.communicate(timeout=timeout_s)
        return subprocess.CompletedProcess(command, process.returncode, output, errors)
    finally:
        starting.shutdown()
        for process in started:
            if process.returncode is None:
                process.kill()
            with process:  # closes its pipes and reaps it
                pass
