"""The folder of one sweep: its plan, and whether a process is working on it. The results of its runs are only in their
own records, which name the sweep.

    RESULTS/sweeps/20261121T034600Z-nightly-3f9a/
        sweep.json        the plan, and its manifest as written
        sweep.lock        held by the process that works on the sweep; contains its id
        claims/           a lock for each server configuration, held by the worker that runs it
        again/            runs to retry, by fingerprint
        deleted/          runs that were deleted, by id
        styles/           in which style each family of models is asked
        reused/           finished runs that it refers to instead of running them, by fingerprint
"""

from __future__ import annotations

import contextlib
import functools
import os
from dataclasses import dataclass, field
from pathlib import Path  # noqa: TC003 - a dataclass field
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from results.durable import explained, replace_file, sync_folder
from results.errors import NewerRecord, ResultsError
from results.files import read_file
from results.json_text import NOT_THAT_JSON, encode_indented
from results.locks import is_locked, lock
from results.records import DeletedRun, RunStatus, decode_versioned
from results.store.family_styles import FamilyStyles
from results.store.names import NameFacts, match_name
from results.store.reused_runs import ReusedRuns
from results.store.run_folder import RunFolder
from results.store.run_id import new_folder

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator

    from results.records import RunRecord
    from results.sweep_place import SweepPlace

    _Planned = tuple["PlanEntry", tuple[RunFolder, RunRecord] | None]

SWEEPS = "sweeps"
SWEEP_VERSION = 1
PROBE_S = 0.5  # a reader that checks for a worker may block a claim for this long


class ManifestText(msgspec.Struct, frozen=True, kw_only=True):
    """A manifest as written, to be read again later; ${ENV} is not filled in."""

    text: str
    form: str
    name: str
    folder: str


class PlanEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One planned run. group: runs of the same group share a server. fingerprint: "" if models weren't read; then the
    label identifies its record. shard_of: the label of the run that it is a shard of, "" for others.
    """

    label: str
    benchmark: str
    model: str
    group: str
    fingerprint: str = ""
    shard_of: str = ""


class EngineText(msgspec.Struct, frozen=True, kw_only=True):
    """The engine of a sweep, by name, with its settings as written: ${ENV} is not filled in. Relative paths in them
    are relative to the manifest's folder.
    """

    name: str
    settings: dict[str, Any] = {}


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """A sweep as requested. nonce: ends the model's name at every server of the sweep. race: whether beaten
    configurations stop early. on_oom: "fail" or "reduce". max_concurrent: None means one per GPU. changed: settings
    that don't determine a result, such as timeouts, given when the sweep was resumed. fresh: whether it reuses no
    finished runs of others. guide: what decides the order within a round of the race; "" for the plan's.
    engine: where its runs are made; None for this machine.
    """

    schema_version: int = SWEEP_VERSION
    sweep_id: str
    created: str
    nonce: str
    manifest: ManifestText
    runs: tuple[PlanEntry, ...]
    race: bool = False
    on_oom: str = "fail"
    max_concurrent: int | None = None
    changed: dict[str, Any] = {}
    fresh: bool = False
    guide: str = ""
    engine: EngineText | None = None

    @property
    def may_reduce(self) -> bool:
        """Whether a run that memory ran out for is tried again with less."""
        return self.on_oom == "reduce"


class _Seen(NamedTuple):
    """A run of the sweep. written_ns: when its record was written."""

    folder: RunFolder
    record: RunRecord
    place: SweepPlace
    written_ns: int


class _InSweep(msgspec.Struct):
    sweep_id: str = ""


class _Belongs(msgspec.Struct):
    """The part of a record that names its sweep."""

    sweep: _InSweep | None = None


@dataclass(frozen=True)
class SweepFolder:
    """One sweep's folder; its name is the sweep's id."""

    path: Path
    _sweep_ids: dict[str, str] = field(default_factory=dict, repr=False, compare=False)  # by the run's folder
    _seen: dict[str, tuple[object, _Seen | None]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def sweep_id(self) -> str:
        return self.path.name

    @property
    def results_dir(self) -> Path:
        return self.path.parent.parent

    @functools.cached_property
    def reused(self) -> ReusedRuns:
        """The finished runs of others that it refers to."""
        return ReusedRuns(self.path / "reused", self.results_dir)

    @property
    def styles(self) -> FamilyStyles:
        """In which style each family of models is asked."""
        return FamilyStyles(self.path / "styles")

    @classmethod
    def create(cls, results_dir: Path, name: str, now: dt.datetime) -> SweepFolder:
        """Create a new folder. Raises ResultsError."""
        return cls(new_folder(results_dir.absolute() / SWEEPS, "sweep", name, now, what="sweep"))

    @classmethod
    def find(cls, results_dir: Path, name: str) -> SweepFolder:
        """The folder of the sweep that `name` names, as `match_name` says. Raises UsageError, ResultsError."""
        folders = {folder.sweep_id: folder for folder in all_sweeps(results_dir)}
        return folders[match_name(name, folders, lambda sweep_id: folders[sweep_id].facts(), what="sweep")]

    def facts(self) -> NameFacts:
        """What users name a sweep by: its manifest, and the benchmarks and models of its runs. Empty if unreadable."""
        try:
            sweep = self.read()
        except ResultsError:
            return NameFacts()
        texts = (text for run in sweep.runs for text in (run.benchmark, run.model, run.label))
        return NameFacts(texts=tuple(dict.fromkeys((sweep.manifest.name, *texts))))

    def write(self, sweep: Sweep) -> None:
        """Write `sweep.json` atomically and durably. Raises ResultsError."""
        with explained("write", self._sweep_json):
            replace_file(self._sweep_json, encode_indented(sweep))

    def read(self) -> Sweep:
        """Read `sweep.json`. Raises ResultsError if it is missing, unreadable or newer."""
        with explained("read", self._sweep_json):
            data = read_file(self._sweep_json)
        where = str(self._sweep_json)
        return decode_versioned(data, Sweep, version=SWEEP_VERSION, where=where, what="a sweep")

    @contextlib.contextmanager
    def claim(self) -> Iterator[None]:
        """Be the process that works on this sweep. Raises ResultsError if there is another one."""
        with contextlib.ExitStack() as held:
            with explained("write", self._lock):
                descriptor = held.enter_context(lock(self._lock, within_s=PROBE_S))
                if descriptor is None:
                    raise ResultsError(
                        f"the sweep {self.sweep_id} is already running in process {self.worker_pid()}",
                        hint=f"watch it with `status {self.sweep_id} --watch`, or stop it: `cancel {self.sweep_id}`",
                    )
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            yield

    @contextlib.contextmanager
    def claim_group(self, group: str, *, within_s: float = 0.0) -> Iterator[bool]:
        """Claim the runs of one server configuration. Yields False if another worker still has them after within_s.

        Raises ResultsError.
        """
        path = self.path / "claims" / f"{group}.lock"
        with contextlib.ExitStack() as held:
            with explained("write", path):
                path.parent.mkdir(exist_ok=True)
                descriptor = held.enter_context(lock(path, within_s=within_s))
            yield descriptor is not None

    def worker_pid(self) -> int | None:
        """The process that is working on it, or None."""
        if not is_locked(self._lock):
            return None
        with contextlib.suppress(OSError, ValueError):
            return int(read_file(self._lock))
        return None

    def request_retry(self, fingerprint: str) -> None:
        """Ask for the run to be retried. Is idempotent. Raises ResultsError."""
        again = self.path / "again"
        with explained("note a run in", again):
            again.mkdir(exist_ok=True)
            (again / fingerprint).touch()
            sync_folder(again)

    def requested_retries(self) -> frozenset[str]:
        """Fingerprints of the runs to retry."""
        with contextlib.suppress(FileNotFoundError):
            return frozenset(entry.name for entry in (self.path / "again").iterdir())
        return frozenset()

    def clear_retry(self, fingerprint: str) -> None:
        """Note that the run has been retried. Is idempotent. Raises ResultsError."""
        with explained("remove", self.path / "again"):
            (self.path / "again" / fingerprint).unlink(missing_ok=True)

    def note_deleted(self, run: DeletedRun) -> None:
        """Remember that a run was deleted. Is idempotent. Raises ResultsError."""
        folder = self.path / "deleted"
        with explained("note a run in", folder):
            folder.mkdir(exist_ok=True)
            replace_file(folder / f"{run.run_id}.json", encode_indented(run))

    def is_deleted(self, planned: PlanEntry) -> bool:
        """Whether a planned run that has no record had one, which was deleted."""
        return (planned.fingerprint or planned.label) in self._deleted() | self._deleted_elsewhere()

    def _deleted(self) -> set[str]:
        """Fingerprints and labels of the runs that were deleted. One that can't be read is left out."""
        found: set[str] = set()
        for path in (self.path / "deleted").glob("*.json"):
            with contextlib.suppress(OSError, *NOT_THAT_JSON):
                run = msgspec.json.decode(read_file(path), type=DeletedRun)
                found |= {run.fingerprint, run.label}
        return found

    def _deleted_elsewhere(self) -> set[str]:
        gone = (
            run for run in self.reused.references().values() if not (self.results_dir / run.run_id).exists()
        )
        return {name for run in gone for name in (run.fingerprint, run.label)}

    def runs(self, *, warn: Callable[[str], None]) -> dict[str, tuple[RunFolder, RunRecord]]:
        """The newest run of each fingerprint; where it has none, the run of others that it refers to, see
        `ReusedRun.as_seen`. Reports unreadable ones to `warn`, once each. Raises NewerRecord.

        Later calls read only records that have changed.
        """
        with explained("read", self.results_dir):
            names = os.listdir(self.results_dir)  # noqa: PTH208 - often
        there = [seen for name in names if (seen := self._see(name, warn)) is not None]
        # Clocks may be set back, so runs are ordered by their count of tries first, and only then by time.
        own = {seen.place.fingerprint: (seen.folder, seen.record) for seen in sorted(there, key=_age)}
        return self.reused.runs(warn=warn) | own

    def planned(
        self, *, warn: Callable[[str], None]
    ) -> list[tuple[PlanEntry, tuple[RunFolder, RunRecord] | None]]:
        """All planned runs with their folder and record, if any. The record gets the plan's label, which may have
        changed with the manifest. Planned runs with the same fingerprint share a record. Of a run that is split it has
        the shards until they are merged, and itself from the time when all have ended. Raises like `runs` and `read`.
        """
        known = self.runs(warn=warn)
        by_label = {
            record.sweep.label: each for each in known.values() if (record := each[1]).sweep is not None
        }
        found: list[tuple[PlanEntry, tuple[RunFolder, RunRecord] | None]] = []
        for planned in self.read().runs:
            there = known.get(planned.fingerprint) if planned.fingerprint else by_label.get(planned.label)
            if there is not None and there[1].sweep is not None:
                place = msgspec.structs.replace(there[1].sweep, label=planned.label)
                there = (there[0], msgspec.structs.replace(there[1], sweep=place))
            found.append((planned, there))
        return _without_merged_shards(found)

    def _see(self, name: str, warn: Callable[[str], None]) -> _Seen | None:
        """The run in this folder; None if it isn't a run of this sweep, which is remembered."""
        if self._sweep_ids.get(name, self.sweep_id) != self.sweep_id:
            return None
        folder = RunFolder(self.results_dir / name)
        try:
            status = folder.run_json.stat()
        except OSError:
            return None
        signature = (status.st_mtime_ns, status.st_ino)
        if name in self._seen and self._seen[name][0] == signature:
            return self._seen[name][1]
        found = None
        try:
            self._sweep_ids[name] = _sweep_id(folder.run_json)
            if self._sweep_ids[name] == self.sweep_id:
                record = folder.read_record()
                if record.sweep is not None:
                    found = _Seen(folder, record, record.sweep, status.st_mtime_ns)
        except NewerRecord:
            raise
        except ResultsError as error:
            warn(error.message)
        self._seen[name] = (signature, found)
        return found

    def done(self, *, warn: Callable[[str], None]) -> frozenset[str]:
        """Fingerprints of the runs that succeeded. Raises like `runs`."""
        found = self.runs(warn=warn)
        return frozenset(name for name, (_, record) in found.items() if record.status is RunStatus.SUCCEEDED)

    @property
    def _lock(self) -> Path:
        return self.path / "sweep.lock"

    @property
    def _sweep_json(self) -> Path:
        return self.path / "sweep.json"


def all_sweeps(results_dir: Path) -> tuple[SweepFolder, ...]:
    """All sweep folders, oldest first. Raises ResultsError."""
    parent = results_dir.absolute() / SWEEPS
    with explained("read", parent):
        try:
            paths = sorted(parent.iterdir())
        except FileNotFoundError:
            return ()
        sweep_ids: dict[str, str] = {}  # shared, so that each run is looked up once
        return tuple(SweepFolder(path, sweep_ids) for path in paths if (path / "sweep.json").is_file())


def _without_merged_shards(runs: list[_Planned]) -> list[_Planned]:
    """The runs without the shards of those that are there, and without those that their shards still stand for."""
    waiting: set[str] = set()  # for shards
    split = {planned.shard_of for planned, _ in runs if planned.shard_of}
    merged = {
        planned.label
        for planned, found in runs
        if planned.label in split and found is not None and found[1].status is RunStatus.SUCCEEDED
    }
    for planned, found in runs:
        if planned.shard_of and (found is None or found[1].status is not RunStatus.SUCCEEDED):
            waiting.add(planned.shard_of)
    return [
        (planned, found)
        for planned, found in runs
        if planned.shard_of not in merged
        and not (planned.label in waiting and planned.label not in merged and found is None)
    ]


def _sweep_id(run_json: Path) -> str:
    """The id of the sweep that a record belongs to, or an empty text. Raises ResultsError."""
    with explained("read", run_json):
        data = read_file(run_json)
    try:
        belongs = msgspec.json.decode(data, type=_Belongs)
    except NOT_THAT_JSON as error:
        raise ResultsError(f"{run_json} is not a run record: {error}") from error
    return belongs.sweep.sweep_id if belongs.sweep is not None else ""


def _age(seen: _Seen) -> tuple[object, ...]:
    """The sort key of runs, newest last. Records of older versions have no count of tries."""
    succeeded = seen.record.status is RunStatus.SUCCEEDED
    began = seen.record.run_id.partition("-")[0]
    return (seen.place.earlier_tries, succeeded, began, seen.written_ns, seen.record.run_id)
