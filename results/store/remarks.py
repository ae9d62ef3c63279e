"""What users say of runs: labels, notes, and which ones are archived. It is kept in the record and in the run log."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

import msgspec

from results.durable import explained, sync_folder
from results.errors import UsageError
from results.plain_text import plain
from results.store.removal import UNLOGGED
from results.store.run_folder import RunFolder, all_folders
from results.store.run_log import RUN_LOG_NAME, RunLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from results.records import Remarks, RunRecord

_LONGEST_LABEL = 64
_MOST_NOTE = 10_000  # characters
_TAKEN = re.compile(r"last(~.*)?|[0-9]{8}.*", re.DOTALL | re.IGNORECASE)


def checked_label(text: str) -> str:
    """The label with single blanks. Raises UsageError for one that can't be typed or that would name another run."""
    label = " ".join(text.split())
    if not label or len(label) > _LONGEST_LABEL or plain(label) != label:
        raise UsageError(
            f"{text!r} can't be a label", hint=f"give a text of 1 to {_LONGEST_LABEL} visible characters"
        )
    if label.startswith("-"):
        raise UsageError(f"{label!r} can't be a label: it looks like an option", hint="begin with a letter")
    if _TAKEN.fullmatch(label):
        raise UsageError(f"{label!r} can't be a label: it names a run in another way", hint="choose another")
    return label


def labelled(results_dir: Path, label: str) -> list[RunFolder]:
    """The runs that have the label; upper and lower case are the same."""
    wanted = label.casefold()
    return [folder for folder in all_folders(results_dir) if folder.facts().label.casefold() == wanted]


def require_free_label(results_dir: Path, label: str, *, run_id: str = "") -> None:
    """Raise UsageError if another run than `run_id` has the label."""
    others = [folder.run_id for folder in labelled(results_dir, label) if folder.run_id != run_id]
    if others:
        raise UsageError(
            f"the run {others[0]} has the label {label!r} already",
            hint=f"take it from there: label {run_id} {label!r} --move; or choose another"
            if run_id
            else f"free it first: label {label!r} --remove; or choose another",
        )


def label_of_new_run(results_dir: Path, text: str, *, resume: str | None) -> str:
    """The label that a run gets as it begins. Raises UsageError if it can't have it, ResultsError.

    A resumed run may be given its own label, because the command is the same as at first.
    """
    if resume:
        if RunFolder.find(results_dir, resume).read_record().remarks.label == text:
            return text
        raise UsageError("--label can't be combined with --resume", hint=f"label {resume} {text!r}")
    label = checked_label(text)
    require_free_label(results_dir, label)
    return label


class RunRemarks:
    """Changes what is said of the runs in `results_dir`, also of runs in progress. warn: about a broken run log.

    `label` and `note` return the new record. Every method raises ResultsError.
    """

    def __init__(self, results_dir: Path, warn: Callable[[str], None]) -> None:
        self._results_dir = results_dir.absolute()
        self._log = RunLog(self._results_dir / RUN_LOG_NAME, warn=warn)

    def label(self, folder: RunFolder, label: str, *, move: bool = False) -> RunRecord:
        """Give it a label, or none for "". move: take it from the run that has it.

        Raises UsageError if another run has it.
        """
        if label and not move:
            require_free_label(self._results_dir, label, run_id=folder.run_id)
        for other in labelled(self._results_dir, label) if label else ():
            if other.run_id != folder.run_id:
                self._label(other, "")
        return self._label(folder, label)

    def note(self, folder: RunFolder, line: str) -> RunRecord:
        """Add a line to its note, or remove the whole note for "". Raises UsageError if it gets too long."""

        def change(remarks: Remarks) -> Remarks:
            text = "\n".join(filter(None, (remarks.note, line))) if line else ""
            if len(text) > _MOST_NOTE:
                raise UsageError(f"a note has at most {_MOST_NOTE:,} characters", hint="shorten it")
            return msgspec.structs.replace(remarks, note=text)

        return self._amend([folder], change)[0]

    def _label(self, folder: RunFolder, label: str) -> RunRecord:
        return self._amend([folder], lambda remarks: msgspec.structs.replace(remarks, label=label))[0]

    def archive(self, folders: Iterable[RunFolder], *, archived: bool) -> None:
        """Leave them out of lists and tables, or no longer."""
        self._amend(folders, lambda remarks: msgspec.structs.replace(remarks, archived=archived))

    def _amend(self, folders: Iterable[RunFolder], change: Callable[[Remarks], Remarks]) -> list[RunRecord]:
        folders = list(folders)
        with self._noted(folders):
            return self._log.amend(
                folders, lambda record: msgspec.structs.replace(record, remarks=change(record.remarks))
            )

    @contextlib.contextmanager
    def _noted(self, folders: Iterable[RunFolder]) -> Iterator[None]:
        """Note that the runs are to be logged, so that the next run does it if this process is killed."""
        notes = self._results_dir / UNLOGGED
        with explained("note runs in", notes):
            notes.mkdir(exist_ok=True)
            ours = [note for folder in folders if not (note := notes / folder.run_id).exists()]
            for note in ours:
                note.touch()
            sync_folder(notes)
        yield
        with explained("remove notes from", notes):
            for note in ours:
                note.unlink(missing_ok=True)
