"""The folder of one sweep: what is planned, and whether somebody works on it. What became of its runs stands in their
own records, which name the sweep: there is no second truth to disagree with.

    RESULTS/sweeps/20261121T034600Z-nightly-3f9a/
        sweep.json        the plan, and the manifest that it came from, as written
        sweep.lock        held by the process that works on it; its id is inside
        claims/           held by who works on a server configuration
        again/            runs that shall be tried once more, by fingerprint
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - a dataclass field
from typing import TYPE_CHECKING

import msgspec

from results.durable import explained, replace_file, sync_folder
from results.errors import NewerRecord, ResultsError
from results.records import RunStatus
from results.run_folder import RunFolder, all_folders
from results.run_id import match_id, new_run_id

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator

    from results.records import RunRecord

SWEEPS = "sweeps"
SWEEP_VERSION = 1


class ManifestText(msgspec.Struct, frozen=True, kw_only=True):
    """A manifest as it was written, so that it can be read again; ${ENV} is not filled in."""

    text: str
    form: str
    name: str
    folder: str


class PlannedRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the plan; its label also stands in its record. group: runs of one group share a server."""

    label: str
    benchmark: str
    model: str
    group: str


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for. nonce: ends the model's name at every server of the sweep. race: whether configurations that
    are beaten stop early. on_oom: "fail" or "reduce". max_concurrent: None is one a GPU.
    """

    schema_version: int = SWEEP_VERSION
    sweep_id: str
    created: str
    nonce: str
    manifest: ManifestText
    runs: tuple[PlannedRun, ...]
    race: bool = False
    on_oom: str = "fail"
    max_concurrent: int | None = None


@dataclass(frozen=True)
class SweepFolder:
    """One sweep's folder; its name is the sweep's id."""

    path: Path

    @property
    def sweep_id(self) -> str:
        return self.path.name

    @property
    def results_dir(self) -> Path:
        return self.path.parent.parent

    @classmethod
    def create(cls, results_dir: Path, name: str, now: dt.datetime) -> SweepFolder:
        """Make a folder that no other sweep has. Raises ResultsError."""
        parent = results_dir.absolute() / SWEEPS
        with explained("make a sweep's folder in", parent):
            parent.mkdir(parents=True, exist_ok=True)
            while True:
                folder = parent / new_run_id("sweep", name, now)
                with contextlib.suppress(FileExistsError):
                    folder.mkdir()
                    break
            sync_folder(parent)
        return cls(folder)

    @classmethod
    def find(cls, results_dir: Path, sweep_id: str) -> SweepFolder:
        """By its id, the unique beginning of it, or `last`. Raises UsageError, ResultsError."""
        folders = {folder.sweep_id: folder for folder in all_sweeps(results_dir)}
        return folders[match_id(sweep_id, folders, what="sweep")]

    def write(self, sweep: Sweep) -> None:
        """Atomically and durably. Raises ResultsError."""
        with explained("write", self._sweep_json):
            replace_file(self._sweep_json, msgspec.json.format(msgspec.json.encode(sweep), indent=1) + b"\n")

    def read(self) -> Sweep:
        """Raises ResultsError when it is missing, unreadable or newer."""
        with explained("read", self._sweep_json):
            data = self._sweep_json.read_bytes()
        try:
            version = msgspec.json.decode(data, type=_Versioned).schema_version
            if version > SWEEP_VERSION:
                raise NewerRecord(
                    f"{self._sweep_json} was written by a newer bench_runner (schema {version})",
                    hint="update bench_runner",
                )
            return msgspec.json.decode(data, type=Sweep)
        except msgspec.MsgspecError as error:
            raise ResultsError(f"{self._sweep_json} is no sweep: {error}") from error

    @contextlib.contextmanager
    def claim(self) -> Iterator[None]:
        """Be the one who works on this sweep. Raises ResultsError when another process is."""
        descriptor = self._open(self._lock)
        try:
            if not _locked(descriptor):
                raise ResultsError(
                    f"the sweep {self.sweep_id} is in progress in another process ({self.worker_pid()})",
                    hint=f"watch it with `status {self.sweep_id} --watch`, or end it with `cancel {self.sweep_id}`",
                )
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def claim_group(self, group: str) -> Iterator[bool]:
        """Work on the runs of one server configuration; False: somebody else does. Raises ResultsError."""
        descriptor = self._open(self.path / "claims" / f"{group}.lock")
        try:
            yield _locked(descriptor)
        finally:
            os.close(descriptor)

    def worker_pid(self) -> int | None:
        """The process that works on it now; None: nobody does."""
        try:
            descriptor = os.open(self._lock, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            if _locked(descriptor, shared=True):
                return None
            text = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            return int(text) if text.isdigit() else None
        finally:
            os.close(descriptor)

    def ask_again(self, fingerprint: str) -> None:
        """Let the run be tried once more. Is idempotent. Raises ResultsError."""
        again = self.path / "again"
        with explained("note a run in", again):
            again.mkdir(exist_ok=True)
            (again / fingerprint).touch()
            sync_folder(again)

    def asked_again(self) -> frozenset[str]:
        """Fingerprints of the runs that shall be tried once more."""
        with contextlib.suppress(FileNotFoundError):
            return frozenset(entry.name for entry in (self.path / "again").iterdir())
        return frozenset()

    def begin_again(self, fingerprint: str) -> None:
        """The run is being tried. Is idempotent."""
        with explained("remove", self.path / "again"):
            (self.path / "again" / fingerprint).unlink(missing_ok=True)

    def runs(self, *, warn: Callable[[str], None]) -> dict[str, tuple[RunFolder, RunRecord]]:
        """The newest run of each fingerprint. One that can't be read is told to `warn`. Raises NewerRecord."""
        began = self.sweep_id.partition("-")[0]
        found: dict[str, tuple[RunFolder, RunRecord]] = {}
        for folder in all_folders(self.results_dir):
            if folder.run_id < began:  # ids begin with the time
                continue
            try:
                record = folder.read_record()
            except NewerRecord:
                raise
            except ResultsError as error:
                warn(error.message)
                continue
            if record.sweep is not None and record.sweep.sweep_id == self.sweep_id:
                found[record.sweep.fingerprint] = (folder, record)
        return found

    def done(self, *, warn: Callable[[str], None]) -> frozenset[str]:
        """Fingerprints of the runs that succeeded. As `runs`."""
        found = self.runs(warn=warn)
        return frozenset(name for name, (_, record) in found.items() if record.status is RunStatus.SUCCEEDED)

    def _open(self, path: Path) -> int:
        with explained("write", path):
            path.parent.mkdir(exist_ok=True)
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)

    @property
    def _lock(self) -> Path:
        return self.path / "sweep.lock"

    @property
    def _sweep_json(self) -> Path:
        return self.path / "sweep.json"


def all_sweeps(results_dir: Path) -> tuple[SweepFolder, ...]:
    """The oldest first. Raises ResultsError."""
    parent = results_dir.absolute() / SWEEPS
    with explained("read", parent):
        try:
            paths = sorted(parent.iterdir())
        except FileNotFoundError:
            return ()
        return tuple(SweepFolder(path) for path in paths if (path / "sweep.json").is_file())


def _locked(descriptor: int, *, shared: bool = False) -> bool:
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class _Versioned(msgspec.Struct):
    schema_version: int = SWEEP_VERSION
