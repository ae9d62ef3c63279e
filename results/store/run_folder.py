"""The folder of one run: its files, its record, and whether its harness is still alive."""

from __future__ import annotations

import contextlib
import functools
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from results.durable import explained, replace_file
from results.errors import NewerRecord, ResultsError, ResumeMismatch, UsageError
from results.files import read_file
from results.json_text import NOT_THAT_JSON
from results.locks import is_locked, lock
from results.records import RunRecord, RunStatus, decode_record, encode_record
from results.store.names import NameFacts, match_name
from results.store.run_id import new_folder

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Mapping

_RECORD = "run.json"
_PROBE_S = 0.5  # a reader that checks for life may block a claim for this long


class _ModelFacts(msgspec.Struct):
    name: str = ""
    path: str | None = None
    quantization: str | None = None


class _ServerFacts(msgspec.Struct):
    kind: str = ""


class _SweepFacts(msgspec.Struct):
    sweep_id: str = ""
    label: str = ""


class _RemarkFacts(msgspec.Struct, frozen=True):
    label: str = ""
    archived: bool = False


class _Facts(msgspec.Struct):
    """The part of a record that users name a run by."""

    benchmark: str = ""
    model: str = ""
    model_identity: _ModelFacts | None = None
    server: _ServerFacts | None = None
    sweep: _SweepFacts | None = None
    remarks: _RemarkFacts = _RemarkFacts()


class RunFolder(msgspec.Struct, frozen=True):
    """One run's folder; its name is the run's id."""

    path: Path

    @property
    def run_id(self) -> str:
        return self.path.name

    @property
    def run_json(self) -> Path:
        return self.path / _RECORD

    @property
    def completions(self) -> Path:
        return self.path / "completions.jsonl"

    @property
    def telemetry(self) -> Path:
        return self.path / "telemetry.jsonl"

    @property
    def server_log(self) -> Path:
        return self.path / "server.log"

    @property
    def script_log(self) -> Path:
        """The script's stderr: messages for people."""
        return self.path / "script.log"

    @property
    def script_out(self) -> Path:
        """The script's stdout: its events and its summary."""
        return self.path / "script.out"

    @classmethod
    def create(cls, results_dir: Path, benchmark: str, model: str, now: dt.datetime) -> RunFolder:
        """Create a new folder, and `results_dir` if it is missing. Raises ResultsError."""
        return cls(new_folder(Path(results_dir).absolute(), benchmark, model, now))

    @classmethod
    def find(cls, results_dir: Path, name: str) -> RunFolder:
        """The folder of the run that `name` names, as `match_name` says. Raises UsageError or ResultsError."""
        folders = {folder.run_id: folder for folder in all_folders(results_dir)}
        name = _id_in(name, folders, Path(results_dir))
        there = Path(results_dir) / name
        if name not in folders and name[:1].isdigit() and "/" not in name and os.path.isdir(there):  # noqa: PTH112 - False for any text
            raise ResultsError(
                f"{there} has no record of a run: {_RECORD} is missing",
                hint="without it the run can't be shown or resumed; its other files are in that folder",
            )
        return folders[match_name(name, folders, functools.cache(lambda run_id: folders[run_id].facts()))]

    def facts(self) -> NameFacts:
        """What its record says that users name a run by: benchmark, model and file, quantisation, server, sweep.

        Empty if it can't be read. Reads less of a record than `read_record`, in less time.
        """
        try:
            found = msgspec.json.decode(read_file(self.run_json), type=_Facts)
        except (OSError, *NOT_THAT_JSON):
            return NameFacts()
        model = found.model_identity or _ModelFacts()
        file = Path(model.path or "").name
        kind = found.server.kind if found.server else ""
        sweep = (found.sweep.label, found.sweep.sweep_id) if found.sweep else ()
        return NameFacts(
            texts=(found.model, found.benchmark, model.name, file, model.quantization or "", kind, *sweep),
            label=found.remarks.label,
            hidden=found.remarks.archived,
        )

    @contextlib.contextmanager
    def claim(self) -> Iterator[None]:
        """Be this run's harness until the block or the process ends in any way.

        Hold the claim until the run is in the run log. Raises ResultsError if another process holds it.
        """
        with contextlib.ExitStack() as held:
            with explained("claim the run's folder", self.path):
                ours = held.enter_context(lock(self._lock, within_s=_PROBE_S))
            if ours is None:
                raise ResultsError(
                    f"another process is working on the run {self.run_id}",
                    hint="wait until it ends, or stop it",
                )
            yield

    @contextlib.contextmanager
    def unchanged_by_refusal(self) -> Iterator[None]:
        """Restore the folder byte for byte if the block ends in a ResumeMismatch. Raises ResultsError.

        The block may replace `run.json`, create files and append to files, and must change nothing else.
        """
        with explained("read", self.path):
            record = read_file(self.run_json)
            sizes = self._sizes()
        try:
            yield
        except ResumeMismatch:
            with explained("write", self.path):
                if read_file(self.run_json) != record:
                    replace_file(self.run_json, record)
                for path, size in self._sizes().items():
                    if path not in sizes:
                        path.unlink()
                    elif size > sizes[path]:
                        os.truncate(path, sizes[path])
            raise

    def _sizes(self) -> dict[Path, int]:
        """Bytes of each regular file."""
        there = ((path, path.lstat()) for path in self.path.rglob("*"))
        return {path: status.st_size for path, status in there if stat.S_ISREG(status.st_mode)}

    def is_alive(self) -> bool:
        """Whether a process holds `claim`."""
        return is_locked(self._lock)

    def write_record(self, record: RunRecord) -> None:
        """Write `run.json` atomically and durably. Raises ResultsError, with the old record untouched."""
        data = encode_record(record) + b"\n"
        with explained("write", self.run_json):
            replace_file(self.run_json, data)

    def read_record(self) -> RunRecord:
        """Read `run.json`. Raises ResultsError if it is missing, unreadable, newer or not a record."""
        with explained("read", self.run_json):
            data = read_file(self.run_json)
        return decode_record(data, where=str(self.run_json))

    def effective_status(self, record: RunRecord) -> RunStatus:
        """The record's status, but INTERRUPTED for a started run whose harness is dead."""
        if record.status is RunStatus.STARTED and not self.is_alive():
            return RunStatus.INTERRUPTED
        return record.status

    @property
    def _lock(self) -> Path:
        return self.path / "harness.lock"


def _id_in(name: str, folders: Mapping[str, RunFolder], results_dir: Path) -> str:
    """The id if the name is the path of a run's folder, as it is shown; otherwise the name.

    Raises UsageError for a run in another results folder.
    """
    run_id = os.path.basename(name.rstrip("/"))  # noqa: PTH119 - of any text
    if "/" not in name or not os.path.isfile(os.path.join(name, _RECORD)):  # noqa: PTH113, PTH118
        return name
    if run_id in folders and os.path.samefile(folders[run_id].path, name):  # noqa: PTH121
        return run_id
    raise UsageError(
        f"{name} is not a run in {results_dir}", hint=f"add --results-dir {Path(name).absolute().parent}"
    )


def all_folders(results_dir: Path) -> tuple[RunFolder, ...]:
    """All run folders, oldest first; none if `results_dir` is missing. Raises ResultsError."""
    results_dir = Path(results_dir).absolute()
    with explained("read", results_dir):
        try:
            paths = sorted(results_dir.iterdir())
        except FileNotFoundError:
            return ()
        folders = (RunFolder(path) for path in paths if not path.name.startswith("."))
        return tuple(folder for folder in folders if folder.run_json.is_file())


def all_records(results_dir: Path, *, warn: Callable[[str], None]) -> tuple[tuple[RunFolder, RunRecord], ...]:
    """All run folders with their records, oldest first.

    A record that can't be read is left out and reported to `warn`. Raises NewerRecord.
    """
    found = []
    for folder in all_folders(results_dir):
        try:
            found.append((folder, folder.read_record()))
        except NewerRecord:
            raise
        except ResultsError as error:
            warn(error.message)
    return tuple(found)
