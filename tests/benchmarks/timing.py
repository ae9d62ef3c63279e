"""Time commands, in turns, so that a noisy neighbour hits all of them."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

T = TypeVar("T")

COMMAND_S = 600.0  # a command that takes longer is stuck


class Failed(Exception):
    """A command that should have succeeded did not."""


def interleaved(repeats: int, measures: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """Each measure once a repeat; the order is reversed every other time."""
    found: dict[str, list[T]] = {name: [] for name in measures}
    for repeat in range(repeats):
        for name in reversed(measures) if repeat % 2 else measures:
            print(
                f"  {name}, {repeat + 1} of {repeats}",
                end="\x1b[K\r" if sys.stderr.isatty() else "\n",
                file=sys.stderr,
            )
            found[name].append(measures[name]())
    return found


def timed(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> tuple[float, str]:
    """Seconds from the process's start to its end, and its standard output. Raises Failed."""
    began = time.perf_counter()
    done = subprocess.run(
        command,
        env=env,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=COMMAND_S,
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-5:])
        raise Failed(f"{command[0]} ended with {done.returncode}: {last}")
    return seconds, done.stdout
