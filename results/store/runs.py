"""The runs of a results folder, for whoever makes one: begun, written as it goes on, finished, and never forgotten.

An empty file `.unlogged/RUN_ID` stands for each run that began and is not in the run log yet, so that none is lost
when its harness is killed; looking for them costs the same however many runs there are.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from results.durable import explained, sync_folder
from results.errors import NewerRecord, ResultsError
from results.records import ErrorRecord, RunRecord, RunStatus
from results.store.run_folder import RunFolder
from results.store.run_log import RUN_LOG_NAME, RunLog

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator
    from pathlib import Path

FOLDER = ".unlogged"


class Runs:
    """Runs in their folders in `results_dir`, and in the run log there. Safe to use from several processes at once.

    say: told of a log that was broken, and of runs that were cut off. Every method raises ResultsError for what can't
    be read or written.
    """

    def __init__(self, results_dir: Path, say: Callable[[str], None]) -> None:
        self._results_dir = results_dir.absolute()
        self._log = RunLog(self._results_dir / RUN_LOG_NAME, warn=say)
        self._say = say

    def check(self) -> None:
        """See that a run can be added, before one is begun, and log those whose harness died before it could.

        Leaves alone what another process is at.
        """
        self._log.check()
        notes = self._results_dir / FOLDER
        with explained("read", notes):
            names = sorted(note.name for note in notes.iterdir()) if notes.is_dir() else []
        for name in names:
            self._recover(self.entry(RunFolder(self._results_dir / name)))

    def new(self, benchmark: str, model: str, now: dt.datetime) -> RunEntry:
        """A run in a new folder; nobody has claimed it, and it is in no record yet."""
        return self.entry(RunFolder.create(self._results_dir, benchmark, model, now))

    def find(self, run_id: str) -> RunEntry:
        """An earlier run by its id or the unique beginning of it. Raises UsageError, too."""
        folder = RunFolder.find(self._results_dir, run_id)
        return self.entry(folder, folder.read_record())

    def entry(self, folder: RunFolder, before: RunRecord | None = None) -> RunEntry:
        """The run in that folder. before: its record until now."""
        return RunEntry(self._log, folder, before)

    def _recover(self, entry: RunEntry) -> None:
        folder = entry.folder
        if folder.is_alive():
            return
        try:
            with folder.claim():
                record = _as_it_ended(folder)
                self._log.append(record, replace=True)
                entry.forget_note()
        except NewerRecord:
            raise
        except ResultsError:  # removed by hand, or taken by another process just now
            if not folder.run_json.exists():
                entry.forget_note()
            return
        if record.status is RunStatus.INTERRUPTED:
            self._say(
                f"note: {record.run_id} was cut off; to continue it, run the same command with --resume"
            )


@dataclass(frozen=True)
class RunEntry:
    """One run while it is made. before: its record of an earlier try, which this one continues.

    Claim it first. Every method raises ResultsError.
    """

    log: RunLog
    folder: RunFolder
    before: RunRecord | None = None

    @contextlib.contextmanager
    def claim(self) -> Iterator[None]:
        """As `RunFolder.claim`; a refused continuation leaves the folder as it was."""
        unchanged = self.folder.unchanged_by_refusal() if self.before else contextlib.nullcontext()
        with self.folder.claim(), unchanged:
            yield

    def begin(self, record: RunRecord) -> None:
        """Write the first record; from now on the run will be in the log, even if the harness is killed."""
        notes = self._note.parent
        with explained("note the run in", notes):
            notes.mkdir(exist_ok=True)
            self._note.touch()
            sync_folder(notes)
        self.folder.write_record(record)

    def write(self, record: RunRecord) -> None:
        """Write what is known of the run so far."""
        self.folder.write_record(record)

    def finish(self, record: RunRecord) -> None:
        """A final record into the folder and the log: into both, whenever the harness ends. As `RunLog.append`."""
        self.begin(record)
        self.log.append(record, replace=self.before is not None)
        self.forget_note()

    def withdraw(self) -> None:
        """Nothing of the earlier run has changed after all: its record is as it was."""
        if self.before is not None:
            self.folder.write_record(self.before)
        self.forget_note()

    def forget_note(self) -> None:
        """Nothing has to be logged any more. Is idempotent."""
        with explained("remove", self._note):
            self._note.unlink(missing_ok=True)

    @property
    def _note(self) -> Path:
        return self.folder.path.parent / FOLDER / self.folder.run_id


def _as_it_ended(folder: RunFolder) -> RunRecord:
    """Its record; of one that was in progress, as interrupted, which is written."""
    record = folder.read_record()
    if record.status is RunStatus.STARTED:
        error = ErrorRecord(
            kind="killed",
            message="the harness was killed, for example by kill -9 or a power cut",
            hint=f"to continue, run the same command with --resume {folder.run_id}",
        )
        record = msgspec.structs.replace(record, status=RunStatus.INTERRUPTED, error=error)
        folder.write_record(record)
    return record
