"""The folder of one attempt at a job, and how its sweep is found again.

    STATE/jobs/JOB_ID/attempt-1/
        JOB_ID.json   the manifest: the sweep's id has this name in it
        lock          held by the sweep's process as long as it lives; says which process that is
        log           what the sweep printed
        starts.json   how often the sweep was started, and for how long it has run

The results are where all results are. So whoever can read the results folder can resume the job, from any host.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from processes.detached import is_running, running_process
from results.durable import explained, replace_file, sync_folder
from results.errors import ResultsError
from results.files import read_file
from results.json_text import NOT_THAT_JSON, encode_indented
from results.store.sweep_folder import SWEEPS, SweepFolder

if TYPE_CHECKING:
    from pathlib import Path

    from processes.tree import Member

JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,47}")  # no longer: a sweep's id has it whole
_ATTEMPT = re.compile(r"attempt-([1-9]\d{0,5})")


class Starts(msgspec.Struct, frozen=True, kw_only=True):
    """How the attempt has gone so far.

    count: how often its sweep was started. concluded: of how many starts the end has been seen. fruitless: starts in a
    row after which nothing more was finished; error: what the last of them said. runs_done, samples_done: what was
    finished before the last start; log_bytes: how long the log was; lock: what the lock said, which is of an earlier
    start. running_s: how long the sweep has been at work, without waiting for a device, until counted_s: seconds of the
    clock that stands still while the machine sleeps, since it was started.
    """

    schema_version: int = 1
    count: int = 0
    concluded: int = 0
    fruitless: int = 0
    error: str = ""
    runs_done: int = 0
    samples_done: int = 0
    log_bytes: int = 0
    lock: str = ""
    running_s: float = 0.0
    counted_s: float = 0.0


@dataclass(frozen=True)
class AttemptFolder:
    """See the module's text."""

    path: Path

    @property
    def job_id(self) -> str:
        return self.path.parent.name

    @property
    def attempt(self) -> int:
        found = _ATTEMPT.fullmatch(self.path.name)
        return int(found[1]) if found else 0

    @property
    def manifest(self) -> Path:
        return self.path / f"{self.job_id}.json"

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    @property
    def log(self) -> Path:
        return self.path / "log"

    @classmethod
    def of(cls, jobs_dir: Path, job_id: str, attempt: int) -> AttemptFolder:
        """The folder of that attempt, whether it exists or not. Raises ValueError for an id that names no folder."""
        if JOB_ID.fullmatch(job_id) is None or attempt < 1:
            raise ValueError(f"not a job: {job_id!r}, attempt {attempt}")
        return cls(jobs_dir / job_id / f"attempt-{attempt}")

    @classmethod
    def all_of(cls, jobs_dir: Path, job_id: str) -> list[AttemptFolder]:
        """The job's attempts that have a folder here, oldest first."""
        if JOB_ID.fullmatch(job_id) is None:
            return []
        try:
            names = [entry.name for entry in (jobs_dir / job_id).iterdir()]
        except OSError:
            return []
        found = [cls(jobs_dir / job_id / name) for name in names if _ATTEMPT.fullmatch(name)]
        return sorted(found, key=lambda each: each.attempt)

    def make(self, manifest: str) -> None:
        """Create the folder with the manifest. Is idempotent. Raises ResultsError."""
        with explained("make", self.path):
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_folder(self.path.parent)
        with explained("write", self.manifest):
            replace_file(self.manifest, manifest.encode())

    def read_starts(self) -> Starts:
        """How it has gone; as if it had never been started if that can't be read."""
        with contextlib.suppress(OSError, *NOT_THAT_JSON):
            return msgspec.json.decode(read_file(self._starts), type=Starts)
        return Starts()

    def write_starts(self, starts: Starts) -> None:
        """Raises ResultsError."""
        with explained("write", self._starts):
            replace_file(self._starts, encode_indented(starts))

    def lock_text(self) -> str:
        """What the lock says: of the last process that held it."""
        try:
            return read_file(self.lock).decode(errors="replace")
        except OSError:
            return ""

    def log_bytes(self) -> int:
        """How long the log is."""
        try:
            return self.log.stat().st_size
        except OSError:
            return 0

    def is_running(self) -> bool:
        """Whether its sweep lives, or is just being started."""
        return is_running(self.lock)

    def process(self) -> Member | None:
        """The sweep's process; None if it doesn't live, or isn't known yet."""
        return running_process(self.lock)

    @property
    def _starts(self) -> Path:
        return self.path / "starts.json"


def find_sweep(results_dir: Path, job_id: str, sweep_ids: dict[str, str] | None = None) -> SweepFolder | None:
    """The job's sweep, the newest if a job begun anew has several; None if it has none, or none that can be read.

    sweep_ids: kept by the caller from one call to the next, so that runs are looked up once.
    """
    if JOB_ID.fullmatch(job_id) is None:
        return None
    of_job = re.compile(rf"\d{{8}}T\d{{6}}Z-sweep-{re.escape(job_id)}-[0-9a-f]{{4}}")
    parent = results_dir.absolute() / SWEEPS
    try:
        names = sorted(
            (entry.name for entry in parent.iterdir() if of_job.fullmatch(entry.name)), reverse=True
        )
    except OSError:
        return None
    for name in names:
        folder = SweepFolder(parent / name, {} if sweep_ids is None else sweep_ids)
        with contextlib.suppress(ResultsError):  # a killed sweep leaves an empty folder: it had done nothing
            folder.read()
            return folder
    return None
