"""Where attempts begin and end on the coordinator's disk: folders of attempts, and the results folder.

Taking a run over is one rename. What is killed before it leaves the run in its attempt's folder, and after it the run
in the results folder with a note to log it; either way the next coordinator ends it the same.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from engines.contract import Attempt, EndKind
from engines.node.attempt_files import END, UNIT
from engines.run_copies import (
    LOCK,
    copy_run,
    is_of_our_disk,
    keep_regular_files,
    message,
    read_bounded,
    remove,
)
from engines.unit import Unit, read_unit, write_unit
from results.durable import explained, replace_file, sync_folder
from results.errors import ResultsError, UsageError
from results.json_text import NOT_THAT_JSON
from results.records import ErrorRecord, RunStatus, decode_record
from results.store.attempts import STARTED, AttemptEntry, Attempts, runs_in
from results.store.continuing import to_continue
from results.store.family_styles import FamilyStyle
from results.store.run_folder import RunFolder
from results.store.run_id import RUN_ID, id_of_another
from results.store.runs import Runs
from results.store.sweep_folder import SWEEPS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from engines.contract import UnitEnd
    from results.records import RunRecord
    from results.store.sweep_folder import SweepFolder

_STYLES = frozenset({"chat", "completion"})
_MOST_STYLE_BYTES = 1 << 20
_REPLACED = ".replaced-"  # the run as it was in the results folder, until the new one is there
_COPY = ".copy-"
_LEFT = ".left-"  # the run of an attempt whose machine may still write into its files
_NEEDLESS = (
    "benchmark_results.json",
    "benchmark_results.json.lock",
    ".unlogged",
)  # of the node's results folder


class _NotTakenError(Exception):
    """A run that the attempt was not to make. It stays where it is."""


class FolderStore:
    """The `Store` of a sweep. engine: its name, for the journal. say: called about what had to be left out.

    Unfinished runs that are out on a machine are claimed, so that no other command goes on with them meanwhile.
    """

    def __init__(self, folder: SweepFolder, *, engine: str, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._engine = engine
        self._say = say
        self._attempts = Attempts(folder.path)
        self._runs = Runs(folder.results_dir, say)
        self._claims: dict[str, contextlib.ExitStack] = {}  # by the attempt's name
        self._running: dict[str, Attempt] | None = None
        self._known: dict[str, tuple[RunFolder, RunRecord]] | None = None
        self._decided: set[str] = set()
        self._waits: str | None = None  # as noted last; None: an earlier coordinator may have
        # Ids of unfinished runs whose notes wait in place of a line in the log; False: it may have an older line.
        self._unlogged: dict[str, bool] = {}

    def begin(self) -> None:
        """Log what earlier processes couldn't. Call it before anything starts."""
        self._runs.check()

    def partial(self, unit: Unit) -> Attempt:
        """See `Store`. Raises UsageError if a model's file can't be read."""
        families = {name: style for name in unit.families if (style := self._folder.styles.known(name))}
        document = write_unit(unit.document(families))
        number, path = self._attempts.create(unit.unit_id)
        attempt = Attempt(unit=unit, number=number, folder=path)
        with contextlib.ExitStack() as claimed:
            for todo in unit.todo:
                if todo.spec is not None:
                    self._folder.reused.forget(todo.planned.fingerprint)
                if todo.resume is not None:
                    there = RunFolder(self._folder.results_dir / todo.resume)
                    claimed.enter_context(there.claim())
                    if not self._runs.entry(there).is_noted:
                        self._unlogged.pop(todo.resume, None)  # another process has logged it
                    with explained("copy to", path):
                        copy_run(there.path, path / todo.resume)
            with explained("write to", path):
                replace_file(path / UNIT, document)
            self._claims[attempt.name] = claimed.pop_all()
        return attempt

    def started(self, attempt: Attempt, *, handle: str, place: str = "") -> Attempt:
        there = self._there()
        self._note(attempt, what=STARTED, handle=handle, place=place)
        now = dataclasses.replace(attempt, handle=handle, place=place)
        there[attempt.name] = now
        return now

    def waits_for(self, text: str) -> None:
        if text != self._waits:
            self._attempts.note_waits(text)
            self._waits = text

    def running(self) -> Sequence[Attempt]:
        return tuple(self._there().values())

    def adopt(self, end: UnitEnd) -> Sequence[tuple[RunFolder, RunRecord]]:
        attempt = end.attempt
        if attempt.name not in self._there():
            self.leave(attempt)
            return ()
        self.learn_styles(attempt)
        self.known()
        taken = []
        for folder in self._runs_of(end):
            try:
                folder, record = self._prepared(folder, end)  # noqa: PLW2901 - it may get another id
            except (_NotTakenError, ResultsError, OSError) as error:
                if is_of_our_disk(error):
                    raise ResultsError(message(error), hint=getattr(error, "hint", "")) from error
                self._say(
                    f"note: {folder.run_id} of {attempt.name} was left out: {message(error)}; see {folder.path}"
                )
                continue
            taken.append(self._take(folder, record, end))
            self.known()[_fingerprint(record)] = taken[-1]
        for name in _NEEDLESS:
            remove(attempt.folder / name)
        self._note(attempt, what=str(end.kind), handle=attempt.handle, place=end.place, why=end.why)
        for name in (_REPLACED, _COPY, _LEFT):
            for entry in attempt.folder.glob(f"{name}*"):
                target = self._folder.results_dir / entry.name.removeprefix(_REPLACED)
                if name == _REPLACED and not target.exists():
                    continue  # what was to replace it was left out
                remove(entry)
        self._there().pop(attempt.name, None)
        self.leave(attempt)
        return taken

    def log_unfinished(self) -> None:
        """Log the runs that were taken over unfinished, at once, since nothing goes on with them for now. A run that
        goes on again and again would otherwise be a line of the log that is replaced as often.
        """
        folders = [RunFolder(self._folder.results_dir / run_id) for run_id in sorted(self._unlogged)]
        self._runs.log_all([folder for folder in folders if not folder.is_alive()])
        self._unlogged.clear()

    def is_decided(self, family: str) -> bool:
        """Whether it is known how a family of models is asked. Remembers that it is."""
        if family not in self._decided and self._folder.styles.known(family) is not None:
            self._decided.add(family)
        return family in self._decided

    def known(self) -> dict[str, tuple[RunFolder, RunRecord]]:
        """The sweep's newest runs by fingerprint, as `SweepFolder.runs` has them, and as they were taken over since."""
        if self._known is None:
            self._known = self._folder.runs(warn=self._say)
        return self._known

    def look_again(self) -> None:
        """Read the runs anew: others than this store may have changed them."""
        self._known = None

    def leave(self, attempt: Attempt) -> None:
        """Give up the claims of an attempt, which didn't start or has ended. Is idempotent."""
        claims = self._claims.pop(attempt.name, None)
        if claims is not None:
            claims.close()

    def learn_styles(self, attempt: Attempt) -> None:
        """Take over how families of models are asked, as far as the attempt's machine has decided it by now."""
        there = attempt.folder / SWEEPS / attempt.unit.sweep_id / "styles"
        for family in attempt.unit.families:
            if self.is_decided(family):
                continue
            with contextlib.suppress(OSError, *NOT_THAT_JSON):
                data = read_bounded(there / f"{family}.json", _MOST_STYLE_BYTES)
                style = msgspec.json.decode(data, type=FamilyStyle)
                if style.style in _STYLES:
                    self._folder.styles.note(family, style)

    def _there(self) -> dict[str, Attempt]:
        """The running attempts by name; those of earlier coordinators are read from their folders, once."""
        if self._running is None:
            self._running = {}
            for entry in self._attempts.running():
                path = self._attempts.folder(entry.unit_id, entry.number)
                unit = self._written(path / UNIT, entry.unit_id)
                attempt = Attempt(
                    unit=unit, number=entry.number, folder=path, handle=entry.handle, place=entry.place
                )
                self._running[attempt.name] = attempt
        return self._running

    def _written(self, path: Path, unit_id: str) -> Unit:
        """The unit of an earlier coordinator; without runs if its file is not as that has written it."""
        with contextlib.suppress(OSError, UsageError):
            unit = Unit.of(read_unit(read_bounded(path)))
            ours = unit.unit_id == unit_id and unit.sweep_id == self._folder.sweep_id
            if ours and all(map(str.isalnum, unit.families)):
                return unit
        sweep_id = self._folder.sweep_id
        return Unit(unit_id=unit_id, sweep_id=sweep_id, nonce="", may_reduce=False, total=0, todo=())

    def _note(self, attempt: Attempt, *, what: str, handle: str, place: str, why: str = "") -> None:
        self._attempts.note(
            AttemptEntry(
                unit_id=attempt.unit.unit_id,
                number=attempt.number,
                what=what,
                at=dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
                engine=self._engine,
                handle=handle,
                place=place,
                why=why,
            )
        )

    def _runs_of(self, end: UnitEnd) -> list[RunFolder]:
        """The runs in an attempt's folder, which nobody writes into any more."""
        attempt = end.attempt
        if attempt.folder.is_symlink():
            self._say(f"note: {attempt.name} was left out: its folder is a link")
            return []
        for copy in attempt.folder.glob(f"{_COPY}*"):  # of a coordinator that was killed
            left = attempt.folder / f"{_LEFT}{copy.name.removeprefix(_COPY)}"
            there = attempt.folder / copy.name.removeprefix(_COPY)
            if left.exists() and not there.exists():
                copy.rename(there)
            else:
                remove(copy)
        return runs_in(attempt.folder)

    def _prepared(self, folder: RunFolder, end: UnitEnd) -> tuple[RunFolder, RunRecord]:
        """Make a run ready to be taken over, with its record as it is to be kept. Two machines may have given two runs
        the same id; the second one gets another.

        Raises _NotTakenError, ResultsError or OSError for what this attempt was not to make; then nothing has changed.
        """
        attempt = end.attempt
        if folder.path.is_symlink():
            raise _NotTakenError("it is a link")
        if not RUN_ID.fullmatch(folder.run_id):
            raise _NotTakenError("its name is not that of a run")
        record = decode_record(read_bounded(folder.run_json), where=str(folder.run_json))
        place = record.sweep
        wanted = attempt.unit.fingerprints
        if place is None or place.sweep_id != attempt.unit.sweep_id or place.fingerprint not in wanted:
            raise _NotTakenError("it isn't a run of this unit")
        other_id = id_of_another(record.run_id, f"{attempt.name} {place.fingerprint}".encode())
        if folder.run_id not in {record.run_id, other_id}:
            raise _NotTakenError(f"its record is that of {record.run_id}")
        target = RunFolder(self._folder.results_dir / folder.run_id)
        if target.path.is_symlink() or target.path.exists():
            if folder.run_id in _resumed(attempt):
                there = target.read_record()
                if there.sweep is None or there.sweep.fingerprint != place.fingerprint:
                    raise _NotTakenError(f"another run has its id: {target.path}")
                record = msgspec.structs.replace(record, remarks=there.remarks)
            else:
                if folder.run_id == other_id:
                    raise _NotTakenError(f"another run has its id: {target.path}")
                folder = RunFolder(folder.path.rename(folder.path.with_name(other_id)))
        record = msgspec.structs.replace(record, run_id=folder.run_id)
        before = self.known().get(place.fingerprint)
        if before is not None and before[0].run_id != folder.run_id and before[1].sweep is not None:
            tries = before[1].sweep.earlier_tries + 1
            place = msgspec.structs.replace(place, earlier_tries=max(tries, place.earlier_tries))
            record = msgspec.structs.replace(record, sweep=place)
        if record.status is RunStatus.STARTED:
            record = _cut_off(record, end)
        if _may_still_write(end):
            _leave_to_writers(folder.path)
        keep_regular_files(folder.path)
        remove(folder.path / LOCK)  # whoever holds it has nothing to do with what becomes of the run here
        folder.write_record(record)
        return folder, record

    def _take(self, folder: RunFolder, record: RunRecord, end: UnitEnd) -> tuple[RunFolder, RunRecord]:
        """Rename the run into the results folder, and log it. Nobody else logs it meanwhile: it is claimed."""
        results_dir = self._folder.results_dir
        target = RunFolder(results_dir / folder.run_id)
        may_be_logged = folder.run_id in _resumed(end.attempt) and not self._unlogged.get(
            folder.run_id, False
        )
        entry = self._runs.entry(target, record if may_be_logged else None)
        with folder.claim():
            entry.note()
            with explained("move to", target.path):
                before = folder.path.parent / f"{_REPLACED}{folder.run_id}"
                if target.path.exists():
                    remove(before)
                    target.path.rename(before)
                try:
                    folder.path.rename(target.path)
                except OSError:
                    if before.exists():
                        before.rename(target.path)
                    raise
                sync_folder(results_dir)
                sync_folder(folder.path.parent)
            if end.kind is EndKind.LOST and record.status is RunStatus.INTERRUPTED:
                self._unlogged[folder.run_id] = not may_be_logged
                return target, record
            record = entry.finish(record)
            self._unlogged.pop(folder.run_id, None)
        return target, record


def _cut_off(record: RunRecord, end: UnitEnd) -> RunRecord:
    where = f" on {end.place}" if end.place else ""
    if end.kind is EndKind.CANCELLED:
        kind, message = "interrupted", f"it was cancelled{where}"
    else:
        kind, message = "lost", f"its attempt was lost{where}" + (f": {end.why}" if end.why else "")
    error = ErrorRecord(kind=kind, message=message, hint=f"{to_continue(record)} to continue")
    return msgspec.structs.replace(record, status=RunStatus.INTERRUPTED, error=error)


def _fingerprint(record: RunRecord) -> str:
    return record.sweep.fingerprint if record.sweep is not None else ""


def _resumed(attempt: Attempt) -> set[str]:
    """The ids of the runs that it goes on with."""
    if attempt.unit.written is not None:
        return {run.resume for run in attempt.unit.written.runs if run.resume}
    return {each.resume for each in attempt.unit.todo if each.resume}


def _may_still_write(end: UnitEnd) -> bool:
    """Whether a program that nobody could reach may go on with the attempt."""
    has_ended = (end.attempt.folder / END).exists()
    return end.kind is EndKind.LOST or (end.kind is EndKind.CANCELLED and not has_ended)


def _leave_to_writers(path: Path) -> None:
    """Put a copy of the run's folder in its place: on a shared disk, what was lost may live on with its files open."""
    copy, left = (path.with_name(f"{prefix}{path.name}") for prefix in (_COPY, _LEFT))
    if left.exists():
        return  # a killed coordinator did it
    copy_run(path, copy)
    path.rename(left)
    copy.rename(path)
