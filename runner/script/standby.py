"""A benchmark's program that loads while the harness still finds out what it is to do.

For a run whose server is up, where nothing else hides how long the program takes to load.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from processes import process as processes
from results.errors import Reported
from runner.script.command import ROOT
from settings.benchmarks import BENCHMARKS, TASK_SIZE, WAIT_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from processes.process import ManagedProcess
    from settings.asked import Asked

MODULE = "scripts.sessions.standby"
UNNEEDED_S = 1.0  # for a program to end that has nothing to save yet


class Taken(NamedTuple):
    """A program that has its command line, and waits for its server. tell: where a line says that this is there."""

    process: ManagedProcess
    tell: int


class Standby:
    """Starts the program in a thread. A context manager, whose end stops it unless it was taken.

    near: a folder on the file system of the run's. What the program prints goes to files there that have no name yet:
    where no run comes of it, nothing is left of them. Raises OSError where there are no such files.
    """

    def __init__(self, module: str, near: Path) -> None:
        self._program = (sys.executable, "-m", module)
        self._process: ManagedProcess | None = None
        with contextlib.ExitStack() as opened:
            self._log, self._out = (_unnamed_file(near, opened) for _ in range(2))
            self._waits, self._tell = os.pipe()
            self._closing = opened.pop_all()
        self._starting = threading.Thread(target=self._start, name="standby", daemon=True)
        self._starting.start()

    def _start(self) -> None:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", WAIT_VARIABLE: str(self._waits)}
        with contextlib.suppress(Reported, OSError):  # the script is started later, and says why it can't be
            self._process = processes.start(
                (*self._program[:2], MODULE, self._program[2]),
                output=_path_of(self._log),
                stdout=_path_of(self._out),
                env=environment,
                cwd=ROOT,
                passed=(self._waits,),
            )
        os.close(self._waits)  # its end is seen by who writes

    def take(
        self, command: Sequence[str], environment: Mapping[str, str], *, log: Path, out: Path
    ) -> Taken | None:
        """The program, doing from now on what the command does; the caller stops it and closes `tell`. log, out: new
        files, for what it prints to stderr and stdout.

        None if the command is another program's, or the program has ended or never began; the caller starts it, then.
        To be called once.
        """
        self._starting.join()
        process = self._process
        if tuple(command[:3]) != self._program or process is None or process.poll() is not None:
            return None
        task = {"words": command[3:], "environment": {**environment, WAIT_VARIABLE: str(self._waits)}}
        data = json.dumps(task).encode()
        try:
            for file, path in ((self._log, log), (self._out, out)):
                os.link(
                    _path_of(file), path, src_dir_fd=file
                )  # with a descriptor, it follows the link in /proc
            with open(self._tell, "wb", closefd=False) as pipe:
                pipe.write(struct.pack(TASK_SIZE, len(data)) + data)
        except OSError:
            return None
        tell, self._tell = self._tell, -1
        self._process = None
        return Taken(process, tell)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._starting.join()
        with self._closing:
            if self._tell >= 0:
                os.close(self._tell)
            if self._process is not None:
                self._process.stop(UNNEEDED_S)


def standby_for(asked: Asked, results_dir: Path) -> Standby | None:
    """The benchmark's program, if the server is said to be up and the program can wait."""
    benchmark = BENCHMARKS.get(asked["benchmark"] or "")
    is_up = asked["base_url"] is not None and asked["provider"] is None
    if benchmark is None or not benchmark.starts_early or not is_up or asked["script"] is not None:
        return None
    there = next(each for each in (results_dir.absolute(), *results_dir.absolute().parents) if each.exists())
    try:
        return Standby(benchmark.module, there)
    except OSError:
        return None


def _unnamed_file(folder: Path, closing: contextlib.ExitStack) -> int:
    descriptor = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o666)
    closing.callback(os.close, descriptor)
    return descriptor


def _path_of(descriptor: int) -> Path:
    return Path(f"/proc/self/fd/{descriptor}")
