"""Ends a job's sweep when its worker has not been heard from for so long that another host may take the job.

Only where several hosts share a database: a worker that is killed leaves its jobs running, and the next worker of that
host adopts them; but if none comes, the lease runs out, and another host begins or resumes the job. Then this one must
have ended, or two would work on one sweep. A worker that is cut off from the database is treated the same.

It is run as a Python without site packages, so it imports little. argv: the lock that the sweep holds, the file that
the worker touches whenever the database has heard it, and after how many seconds to ask the sweep to end, and to kill
it.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]
import os
import sys
import time
from pathlib import Path

from processes.detached import is_running, signal_running

LOOK_S = 1.0
ASK_SHARE, KILL_SHARE = 0.7, 0.85  # of the lease


def main() -> None:
    lock, beat = Path(sys.argv[1]), Path(sys.argv[2])
    ask_s, kill_s = float(sys.argv[3]), float(sys.argv[4])
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    watch(lock, beat, ask_s, kill_s)


def watch(lock: Path, beat: Path, ask_s: float, kill_s: float, *, look_s: float = LOOK_S) -> None:
    """Watch until the sweep has ended."""
    seen, since, asked = _touched(beat), _now(), False
    while is_running(lock):
        touched = _touched(beat)
        if touched != seen:
            seen, since, asked = touched, _now(), False
        silent_s = _now() - since
        if silent_s > kill_s:
            signal_running(lock, signal.SIGKILL)
        elif silent_s > ask_s and not asked:
            asked = signal_running(lock, signal.SIGTERM)
        time.sleep(look_s)


def command(lock: Path, beat: Path, lease_s: float) -> list[str]:
    """The command line of the fence of one sweep."""
    root = str(Path(__file__).parents[2])
    program = f"import sys; sys.path.append({root!r}); from web.working.fence import main; main()"
    limits = (f"{lease_s * ASK_SHARE:.1f}", f"{lease_s * KILL_SHARE:.1f}")
    return [sys.executable, "-I", "-S", "-c", program, str(lock), str(beat), *limits]


def _now() -> float:
    """Goes on while the machine sleeps, as the lease does."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _touched(beat: Path) -> int:
    try:
        return os.stat(beat).st_mtime_ns  # noqa: PTH116 - quick
    except OSError:
        return 0
