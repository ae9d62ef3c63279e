"""A program that loads what benchmarks' programs need, while the harness itself loads and finds out what is to be done.

For a run whose server is up, where nothing else hides how long that takes. It imports little, because what it starts
can only begin after that.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import struct
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from processes import process as processes
from processes.guardian import TREE_MARK
from results.errors import Reported
from results.files import user_path
from results.folders import default_results_dir
from results.standby import TASK_SIZE, WAIT_VARIABLE
from runner.script import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from processes.process import ManagedProcess

PROGRAM = (sys.executable, "-m", "scripts.sessions.standby")
UNNEEDED_S = 1.0  # for a program to end that has nothing to save yet
# Options of `run` with which another program does the work, an earlier run goes on, or no server is up.
_EXCLUDING = ("--provider", "--resume", "--reuse", "--script", "--server")


class Taken(NamedTuple):
    """A program that has its task, and waits for its server. tell: where a line says that this is there."""

    process: ManagedProcess
    tell: int


class Standby:
    """Starts the program in a thread. A context manager, whose end dismisses it.

    near: a folder on the file system of the run's. What the program prints goes to files there that have no name yet:
    where no run comes of it, nothing is left of them. Raises OSError where there are no such files.
    """

    def __init__(self, near: Path) -> None:
        self._process: ManagedProcess | None = None
        with contextlib.ExitStack() as opened:
            self._log, self._out = (_unnamed_file(near, opened) for _ in range(2))
            self._waits, self._tell = os.pipe()
            opened.callback(self._close_pipe)
            self._starting = threading.Thread(target=self._start, name="standby", daemon=True)
            try:
                self._starting.start()
            except RuntimeError as error:  # there may be no more threads
                os.close(self._waits)
                raise OSError(errno.EAGAIN, str(error)) from error
            self._closing = opened.pop_all()

    def _start(self) -> None:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", WAIT_VARIABLE: str(self._waits)}
        try:
            self._process = processes.start(
                PROGRAM,
                output=_path_of(self._log),
                stdout=_path_of(self._out),
                env=environment,
                cwd=ROOT,
                passed=(self._waits,),
            )
        except (Reported, OSError):  # the script is started later, and says why it can't be
            return
        finally:
            os.close(self._waits)  # who writes sees its end

    def take(
        self, command: Sequence[str], environment: Mapping[str, str], *, log: Path, out: Path
    ) -> Taken | None:
        """The program, doing from now on what the command does: `python -m` a benchmark's program. The caller stops it
        and closes `tell`. log, out: new files, for what it prints to stderr and stdout.

        None if the program has ended, was dismissed, or never began; the caller starts the command, then.
        """
        self._starting.join()
        process = self._process
        if process is None or process.poll() is not None:
            return None
        _python, _m, module, *words = command
        waits = {**environment, WAIT_VARIABLE: str(self._waits)}
        waits.pop(TREE_MARK, None)  # it has one of its own
        task = json.dumps({"module": module, "words": words, "environment": waits}).encode()
        with contextlib.ExitStack() as undoing:
            undoing.callback(self.dismiss)
            try:
                for file, path in ((self._log, log), (self._out, out)):
                    # With a descriptor, it follows the link in /proc.
                    os.link(_path_of(file), path, src_dir_fd=file)
                    undoing.callback(path.unlink)
                with open(self._tell, "wb", closefd=False) as pipe:
                    pipe.write(struct.pack(TASK_SIZE, len(task)) + task)
            except OSError:
                return None
            undoing.pop_all()
        tell, self._tell = self._tell, -1
        self._process = None
        return Taken(process, tell)

    def dismiss(self) -> None:
        """End it, unless it was taken. Is idempotent."""
        self._starting.join()
        with self._closing.pop_all():
            if self._process is not None:
                self._process.stop(UNNEEDED_S)
                self._process = None

    def _close_pipe(self) -> None:
        if self._tell >= 0:
            os.close(self._tell)
            self._tell = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.dismiss()


def standby_for(words: Sequence[str]) -> Standby | None:
    """For a command line of `run`, not read yet: if it names a server that is up. None where there can't be one."""
    options = words[: words.index("--")] if "--" in words else words
    if _value(options, "--base-url") is None or any(_value(options, name) is not None for name in _EXCLUDING):
        return None
    try:
        folder = user_path(_value(options, "--results-dir") or default_results_dir()).absolute()
        return Standby(next(each for each in (folder, *folder.parents) if each.is_dir()))
    except (OSError, Reported):
        return None


def _value(words: Sequence[str], option: str) -> str | None:
    """What follows the option, if it is there."""
    for place, word in enumerate(words):
        if word == option:
            return "".join(words[place + 1 : place + 2])
        if word.startswith(f"{option}="):
            return word.removeprefix(f"{option}=")
    return None


def _unnamed_file(folder: Path, closing: contextlib.ExitStack) -> int:
    descriptor = os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o666)
    closing.callback(os.close, descriptor)
    return descriptor


def _path_of(descriptor: int) -> Path:
    return Path(f"/proc/self/fd/{descriptor}")
