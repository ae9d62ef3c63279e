"""Starts a fence for each job, where several hosts share a database; see `web.working.fence`."""

from __future__ import annotations

import contextlib
import os
import subprocess
from typing import TYPE_CHECKING

from web.jobs.claiming import LEASE_S
from web.working.fence import command

if TYPE_CHECKING:
    from web.working.job_folder import AttemptFolder


class Fences:
    """shared: whether other hosts may take a job whose lease runs out; else no fence is needed."""

    def __init__(self, *, shared: bool, lease_s: float = LEASE_S) -> None:
        self._shared = shared
        self._lease_s = lease_s
        self._running: dict[AttemptFolder, subprocess.Popen[bytes]] = {}

    def heard(self, folder: AttemptFolder) -> None:
        """The database has just heard that this job's worker is there."""
        if self._shared:
            with contextlib.suppress(OSError):
                folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
                (folder.path / "beat").touch()
                os.utime(folder.path / "beat")

    def guard(self, folder: AttemptFolder) -> None:
        """See that the job has a fence, if it runs. It ends with the job, and outlives the worker."""
        if not self._shared:
            return
        for known, process in tuple(self._running.items()):
            if process.poll() is not None:
                del self._running[known]
        if folder not in self._running and folder.is_running():
            with contextlib.suppress(OSError):
                self._running[folder] = subprocess.Popen(
                    command(folder.lock, folder.path / "beat", self._lease_s),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env={"PATH": os.environ.get("PATH", "")},
                    cwd="/",
                    start_new_session=True,
                )
