"""The process of a job's sweep: started once, found again by the next worker, and ended with all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from processes.detached import signal_running, start_detached
from processes.tree import read_member, send_signal
from results.durable import explained
from results.errors import ResultsError
from results.files import open_to_append
from web.working.job_environment import JOB_MARK, job_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from results.store.sweep_folder import SweepFolder
    from web.working.job_folder import AttemptFolder

PROGRAM = Path(__file__).parents[2] / "bench_runner.py"


def start_sweep(
    folder: AttemptFolder,
    *,
    results_dir: Path,
    manifest: str,
    sweep: SweepFolder | None,
    retry_failed: bool,
    device: Mapping[str, str | None],
    environment: Mapping[str, str] = os.environ,
) -> subprocess.Popen[bytes]:
    """Start the job's sweep, or go on with the one that it has. It outlives this process.

    retry_failed: whether runs that failed are tried again. device: see `Devices.shown`. Raises AlreadyRunning, and
    ResultsError if it can't be started.
    """
    if not results_dir.is_dir():  # a disk that isn't mounted: the sweep would make another one in its place
        raise ResultsError(
            f"the results folder {results_dir} is not there", hint="mount its disk, or make the folder again"
        )
    if sweep is None:
        words = ("sweep", str(folder.manifest), "--fresh")
    else:
        words = ("sweep", "--retry-failed" if retry_failed else "--resume", sweep.sweep_id)
    return start_detached(
        [sys.executable, str(PROGRAM), *words, "--results-dir", str(results_dir)],
        lock_file=folder.lock,
        output=folder.log,
        env=job_environment(manifest, mark=mark_of(folder), device=device, environment=environment),
        cwd=folder.path,
    )


def start_cancel(
    folder: AttemptFolder,
    *,
    results_dir: Path,
    manifest: str,
    sweep: SweepFolder,
    environment: Mapping[str, str] = os.environ,
) -> None:
    """End what an engine still does for a sweep whose own process was killed. It ends by itself; the job's log has what
    it says. Raises ResultsError if it can't be started.
    """
    words = ("cancel", sweep.sweep_id, "--results-dir", str(results_dir))
    with explained("write", folder.log), open_to_append(folder.log) as log, explained("start", PROGRAM):
        subprocess.Popen(
            [sys.executable, str(PROGRAM), *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder.path,
            env=job_environment(
                manifest, mark=f"cancel {mark_of(folder)}", device={}, environment=environment
            ),
            start_new_session=True,
        )


def ask_to_end(folder: AttemptFolder) -> bool:
    """Ask the sweep to end cleanly. False if its process isn't known yet, or has ended."""
    return signal_running(folder.lock, signal.SIGTERM)


def kill_sweep(folder: AttemptFolder) -> bool:
    """Kill the sweep; the guardians of its servers and scripts see it and end them. False as above."""
    return signal_running(folder.lock, signal.SIGKILL)


def left_behind(folder: AttemptFolder) -> list[int]:
    """The living processes of this attempt, of all generations, by the mark in their environment."""
    mark = f"{JOB_MARK}={mark_of(folder)}".encode()
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208 - a Path for each takes longer
        if not name.isdigit():
            continue
        try:
            if mark in Path(f"/proc/{name}/environ").read_bytes().split(b"\0"):
                found.append(int(name))
        except OSError:  # another user's, or it has ended meanwhile
            continue
    return found


def kill_left_behind(folder: AttemptFolder) -> None:
    """Kill what is left of this attempt."""
    for pid in left_behind(folder):
        member = read_member(pid)
        if member is not None and pid != os.getpid() and pid in left_behind(folder):
            send_signal(member, signal.SIGKILL)


def mark_of(folder: AttemptFolder) -> str:
    """What every process of the attempt has in its environment."""
    return f"{folder.job_id}/{folder.attempt}"
