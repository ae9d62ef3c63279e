"""Run several workers of a sweep, each in its own process."""

from __future__ import annotations

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from processes import process as processes
from results.files import open_to_read
from runner.script import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from processes.process import ManagedProcess
    from results.store.sweep_folder import SweepFolder
    from runner.display import Display

LANE_GRACE_S = 60.0  # time to stop script and server and to write the record
LOOK_S = 0.2


class _Said:
    """The lines that a lane adds to its log."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset_bytes = path.stat().st_size if path.exists() else 0

    def lines(self) -> list[str]:
        """The complete lines since the last call."""
        with open_to_read(self._path) as file:
            # A log that grows too long is cut; lines that were not read by then are skipped here.
            self._offset_bytes = min(self._offset_bytes, file.seek(0, 2))
            file.seek(self._offset_bytes)
            whole, end, _ = file.read().rpartition(b"\n")
        self._offset_bytes += len(whole) + len(end)
        return whole.decode(errors="replace").split("\n") if end else []


def in_processes(command: Sequence[str], folder: SweepFolder, lanes: int, display: Display) -> list[str]:
    """Run the command in `lanes` processes until all have ended, and display their output.

    Returns a sentence for each process that failed. The others continue without it and take over its work.
    """
    stopped = []
    with _all_stopped() as started:
        running: list[tuple[int, ManagedProcess, _Said]] = []
        for number in range(1, lanes + 1):
            log = folder.path / f"lane-{number}.log"
            said = _Said(log)
            process = processes.start(
                tuple(command),
                output=log,
                cwd=ROOT,
            )
            started.append(process)
            running.append((number, process, said))
        while running:
            for each in tuple(running):
                number, process, said = each
                ended = process.poll()
                for line in said.lines():
                    display.say(f"({number}) {line}" if line else "")
                if ended is None:
                    continue
                running.remove(each)
                if ended.code != 0:
                    why = f"worker {number} of the sweep stopped: {ended.describe()}; see lane-{number}.log"
                    display.say(f"({number}) {why}")
                    stopped.append(why)
            time.sleep(LOOK_S)
    return stopped


@contextlib.contextmanager
def _all_stopped() -> Iterator[list[ManagedProcess]]:
    """Yields a list; processes that are put into it are stopped when the block ends, all at the same time."""
    started: list[ManagedProcess] = []
    try:
        yield started
    finally:
        if started:
            with ThreadPoolExecutor(len(started)) as threads:
                list(threads.map(lambda process: process.stop(LANE_GRACE_S), started))
