"""Start a program that outlives whoever started it, so that it is always known whether it still runs.

The program holds the lock of a file as long as it lives, from before its first instruction: the starter takes the lock,
and the program inherits the descriptor. What the program starts doesn't inherit it. The file also says which process
it is, written before its program begins. So nobody guesses from a process's number, which may be another's by now, and
no second start succeeds while the first one lives, wherever the starter was killed.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from processes import holder
from processes.tree import read_member, send_signal
from results.durable import explained
from results.errors import ResultsError
from results.files import open_to_append, read_file
from results.locks import is_locked, lock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from processes.tree import Member

_HOLDER = (
    f"import sys; sys.path.append({str(Path(__file__).parents[1])!r}); "
    "from processes.holder import main; main()"
)


class AlreadyRunning(ResultsError):
    """What was to be started runs already."""

    kind = "already_running"


def start_detached(
    argv: Sequence[str], *, lock_file: Path, output: Path, env: Mapping[str, str], cwd: Path
) -> subprocess.Popen[bytes]:
    """Start argv in its own session, with stdin empty, its output appended to a file, and no descriptor but the lock.

    argv: begins with the program's whole path. env: its whole environment. Returns once the process exists; the caller
    reaps it, or the system does once the caller has ended. Raises AlreadyRunning, and ResultsError if a file can't be
    written or no process be started; then nothing runs.
    """
    with contextlib.ExitStack() as held:
        with explained("lock", lock_file):
            descriptor = held.enter_context(lock(lock_file, within_s=0.2))
        if descriptor is None:
            raise AlreadyRunning(f"what belongs to {lock_file} runs already", hint="wait until it ends")
        with explained("write", lock_file):
            os.ftruncate(descriptor, 0)  # what it says is of an earlier start
        with explained("write", output):
            log = held.enter_context(open_to_append(output))
        with explained("start a process in", cwd):
            # Whoever is killed from here on, the lock is either free, and nothing runs, or the program's.
            return subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _HOLDER, str(descriptor), *argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(env),
                cwd=cwd,
                pass_fds=(descriptor,),
                start_new_session=True,
            )


def is_running(lock_file: Path) -> bool:
    """Whether what was started with this lock still runs. It may not have begun its program yet."""
    return is_locked(lock_file)


def running_process(lock_file: Path) -> Member | None:
    """The process that holds the lock; None if there is none, or not yet: see `is_running`."""
    if not is_locked(lock_file):
        return None
    try:
        pid, start, boot = read_file(lock_file).split()
        found = read_member(int(pid))
    except (OSError, ValueError):
        return None
    same = found is not None and found.start == int(start) and boot == holder.boot_id()
    return found if same else None


def signal_running(lock_file: Path, number: int) -> bool:
    """Signal the process that holds the lock, and never another one. Whether there was one."""
    found = running_process(lock_file)
    if found is None:
        return False
    send_signal(found, number)
    return True
