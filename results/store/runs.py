"""Begin, update and finish the runs of a results folder, without losing any.

Each run that has begun but isn't in the run log yet has an empty file `.unlogged/RUN_ID`, so that it isn't lost if its
harness is killed. Looking for them costs the same for any number of runs.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import msgspec

from results.durable import explained, sync_folder
from results.errors import NewerRecord, ResultsError
from results.records import ErrorRecord, RunRecord, RunStatus
from results.store.continuing import to_continue
from results.store.removal import UNLOGGED, empty_trash
from results.store.run_folder import RunFolder
from results.store.run_log import RUN_LOG_NAME, RunLog

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path


class Runs:
    """The runs in `results_dir`: their folders and the run log. Safe to use from several processes at once.

    say: called about a broken log and about runs that were cut off. Every method raises ResultsError if something can't
    be read or written.
    """

    def __init__(self, results_dir: Path, say: Callable[[str], None]) -> None:
        self._results_dir = results_dir.absolute()
        self._log = RunLog(self._results_dir / RUN_LOG_NAME, warn=say)
        self._say = say

    def check(self) -> None:
        """Check that a run can be added, before one begins; log the runs whose harness died before it could, and finish
        deletions that were cut off.

        Leaves runs alone that another process is working on.
        """
        self._log.check()
        empty_trash(self._results_dir, warn=self._say)
        begun = begun_runs(self._results_dir)
        logged = {record.run_id for record in self._log.runs()} if begun else set()
        for folder in begun:
            self._recover(self.entry(folder), logged=folder.run_id in logged)

    def new(self, benchmark: str, model: str, now: dt.datetime) -> RunEntry:
        """A run in a new folder, not claimed and without a record yet."""
        return self.entry(RunFolder.create(self._results_dir, benchmark, model, now))

    def find(self, name: str) -> RunEntry:
        """An earlier run by its name, as `RunFolder.find` finds it. Also raises UsageError."""
        folder = RunFolder.find(self._results_dir, name)
        return self.entry(folder, folder.read_record())

    def entry(self, folder: RunFolder, before: RunRecord | None = None) -> RunEntry:
        """The run in that folder. before: its existing record."""
        return RunEntry(self._log, folder, before)

    def log_all(self, folders: Sequence[RunFolder]) -> None:
        """Log these runs, which were noted, by rewriting the log once."""
        there = [folder for folder in folders if folder.run_json.exists()]
        if there:
            self._log.append_all(there)
            for folder in there:
                self.entry(folder).forget_note()

    def _recover(self, entry: RunEntry, *, logged: bool) -> None:
        folder = entry.folder
        if folder.is_alive():
            return
        try:
            with folder.claim():
                with explained("read", folder.path), self._log.locked():
                    end_record(folder)
                record = self._log.append_from(folder, replace=logged)
                entry.forget_note()
        except NewerRecord:
            raise
        except ResultsError:  # removed by hand, or taken by another process just now
            if not folder.run_json.exists():
                entry.forget_note()
            return
        if record.status is RunStatus.INTERRUPTED:
            self._say(f"note: {record.run_id} was cut off; to continue it, {to_continue(record)}")


def begun_runs(results_dir: Path) -> list[RunFolder]:
    """The runs that have begun and aren't logged yet: in progress, or cut off. Oldest first. Raises ResultsError."""
    notes = results_dir.absolute() / UNLOGGED
    with explained("read", notes):
        names = sorted(note.name for note in notes.iterdir()) if notes.is_dir() else []
    return [RunFolder(notes.parent / name) for name in names]


class RunEntry(msgspec.Struct, frozen=True):
    """One run in progress. before: the record of the earlier try that this one continues.

    Claim it first. Every method raises ResultsError.
    """

    log: RunLog
    folder: RunFolder
    before: RunRecord | None = None

    @contextlib.contextmanager
    def claim(self) -> Iterator[None]:
        """Like `RunFolder.claim`; if the run can't be continued, its folder stays unchanged."""
        unchanged = self.folder.unchanged_by_refusal() if self.before else contextlib.nullcontext()
        with self.folder.claim(), unchanged:
            yield

    def begin(self, record: RunRecord) -> None:
        """Write the first record. From now on the run will get into the log, even if the harness is killed."""
        self.note()
        self.write(record)

    def note(self) -> None:
        """Note durably that the run is to be logged, also before its folder is there. Is idempotent."""
        notes = self._note.parent
        with explained("note the run in", notes):
            notes.mkdir(exist_ok=True)
            self._note.touch()
            sync_folder(notes)

    @property
    def is_noted(self) -> bool:
        """Whether it is noted and, as far as is known, not in the log."""
        return self._note.exists()

    def write(self, record: RunRecord) -> None:
        """Write what is known so far. What a user has said of the run meanwhile is kept."""
        with explained("write", self.folder.path), self.log.locked():
            if self.folder.run_json.exists():
                record = msgspec.structs.replace(record, remarks=self.folder.read_record().remarks)
            self.folder.write_record(record)

    def finish(self, record: RunRecord) -> RunRecord:
        """Write the final record into the folder and the log; if the harness dies in between, the next one logs it.

        Returns the record with what a user has said of the run.
        """
        with explained("read", self._note):
            noted = self.is_noted  # since it began, most often: each wait for the disk counts here
        if not noted:
            self.note()
        self.write(record)
        record = self.log.append_from(self.folder, replace=self.before is not None)
        self.forget_note()
        return record

    def amend(self, change: Callable[[RunRecord], RunRecord]) -> RunRecord:
        """Change the record of a run that has ended, in its folder and in the log; claim it first. If the harness dies
        in between, the next one logs it. Returns the new record.
        """
        self.note()
        record = self.log.amend([self.folder], change)[0]
        self.forget_note()
        return record

    def withdraw(self) -> None:
        """Restore the earlier run's record, because nothing has changed after all."""
        if self.before is not None:
            self.write(self.before)
        self.forget_note()

    def forget_note(self) -> None:
        """Remove the note; there is nothing left to log. Is idempotent."""
        with explained("remove", self._note):
            self._note.unlink(missing_ok=True)

    @property
    def _note(self) -> Path:
        return self.folder.path.parent / UNLOGGED / self.folder.run_id


def end_record(folder: RunFolder) -> None:
    """If the run's record says started, rewrite it as interrupted. Raises ResultsError if it can't be read."""
    record = folder.read_record()
    if record.status is RunStatus.STARTED:
        error = ErrorRecord(
            kind="killed",
            message="the harness was killed, for example by kill -9 or a power cut",
            hint=f"{to_continue(record)} to continue",
        )
        record = msgspec.structs.replace(record, status=RunStatus.INTERRUPTED, error=error)
        folder.write_record(record)
