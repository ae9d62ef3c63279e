"""Runs that began and are not in the run log yet, so that none is forgotten when its harness is killed.

An empty file `.unlogged/RUN_ID` in the results folder stands for each; looking costs the same however many runs
there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from results.durable import explained, sync_folder
from results.errors import NewerRecord, ResultsError
from results.records import ErrorRecord, RunRecord, RunStatus
from results.store.run_folder import RunFolder

if TYPE_CHECKING:
    from results.store.run_log import RunLog

FOLDER = ".unlogged"


def mark(folder: RunFolder) -> None:
    """Note that the run will have to be logged. Is idempotent. Raises ResultsError."""
    notes = folder.path.parent / FOLDER
    with explained("note the run in", notes):
        notes.mkdir(exist_ok=True)
        (notes / folder.run_id).touch()
        sync_folder(notes)


def save_final_record(folder: RunFolder, record: RunRecord, log: RunLog, *, replace: bool = False) -> None:
    """A final record into the folder and the log: into both, whenever it ends. As `RunLog.append`."""
    mark(folder)
    folder.write_record(record)
    log.append(record, replace=replace)
    clear(folder)


def clear(folder: RunFolder) -> None:
    """The run is in the log. Is idempotent. Raises ResultsError."""
    note = folder.path.parent / FOLDER / folder.run_id
    with explained("remove", note):
        note.unlink(missing_ok=True)


def recover(log: RunLog) -> tuple[RunRecord, ...]:
    """Log the runs whose harness died before it could, those cut off as interrupted; return those cut off.

    Leaves alone what another process is at. Raises ResultsError.
    """
    cut_off = []
    notes = log.results_dir / FOLDER
    with explained("read", notes):
        names = sorted(note.name for note in notes.iterdir()) if notes.is_dir() else []
    for name in names:
        folder = RunFolder(log.results_dir / name)
        if folder.is_alive():
            continue
        try:
            with folder.claim():
                record = _final(folder)
                log.append(record, replace=True)
                clear(folder)
        except NewerRecord:
            raise
        except ResultsError:  # removed by hand, or taken by another process just now
            if not folder.run_json.exists():
                clear(folder)
            continue
        if record.status is RunStatus.INTERRUPTED:
            cut_off.append(record)
    return tuple(cut_off)


def _final(folder: RunFolder) -> RunRecord:
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
