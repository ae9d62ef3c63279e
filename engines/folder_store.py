"""Where attempts begin and end on the coordinator's disk: folders of attempts, and the results folder.

Taking a run over is one rename. What is killed before it leaves the run in its attempt's folder, and after it the run
in the results folder with a note to log it; either way the next coordinator ends it the same.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import os
import shutil
import stat
from typing import TYPE_CHECKING

import msgspec

from engines.contract import Attempt, EndKind
from engines.node.attempt_files import UNIT
from engines.unit import Unit, read_unit, write_unit
from results.durable import explained, replace_file, sync_folder
from results.errors import NewerRecord, ResultsError, UsageError
from results.files import read_file
from results.json_text import NOT_THAT_JSON
from results.records import ErrorRecord, RunStatus
from results.store.attempts import STARTED, AttemptEntry, Attempts, runs_in
from results.store.continuing import to_continue
from results.store.family_styles import FamilyStyle
from results.store.run_folder import RunFolder
from results.store.run_id import RUN_ID
from results.store.runs import Runs
from results.store.sweep_folder import SWEEPS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from engines.contract import UnitEnd
    from engines.unit import UnitDocument
    from results.records import RunRecord
    from results.store.sweep_folder import SweepFolder

_NOT_COPIED = frozenset({"harness.lock"})
_REPLACED = ".replaced-"
_NEEDLESS = (
    "benchmark_results.json",
    "benchmark_results.json.lock",
    ".unlogged",
)  # of the node's results folder


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
                    with explained("copy to", path):
                        _copy(there.path, path / todo.resume)
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

    def running(self) -> Sequence[Attempt]:
        return tuple(self._there().values())

    def adopt(self, end: UnitEnd) -> Sequence[tuple[RunFolder, RunRecord]]:
        attempt = end.attempt
        if attempt.name not in self._there():
            self.leave(attempt)
            return ()
        self.learn_styles(attempt)
        document = _document(attempt)
        fingerprints = {run.fingerprint for run in document.runs} if document else set()
        taken = []
        for folder in runs_in(attempt.folder):
            try:
                record = self._checked(folder, attempt, fingerprints)
                if record is not None:
                    taken.append(self._take(folder, record, end))
                    self.known()[_fingerprint(record)] = taken[-1]
            except NewerRecord:
                raise
            except (ResultsError, OSError) as error:
                self._say(f"note: {folder.run_id} of {attempt.name} was left out: {_message(error)}")
        for name in _NEEDLESS:
            _remove(attempt.folder / name)
        for entry in attempt.folder.glob(f"{_REPLACED}*"):
            _remove(entry)
        self._note(attempt, what=str(end.kind), handle=attempt.handle, place=end.place, why=end.why)
        self._there().pop(attempt.name, None)
        self.leave(attempt)
        return taken

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
                style = msgspec.json.decode(read_file(there / f"{family}.json"), type=FamilyStyle)
                self._folder.styles.note(family, style)

    def _there(self) -> dict[str, Attempt]:
        """The running attempts by name; those of earlier coordinators are read from their folders, once."""
        if self._running is None:
            self._running = {}
            for entry in self._attempts.running():
                path = self._attempts.folder(entry.unit_id, entry.number)
                try:
                    unit = Unit.of(read_unit(read_file(path / UNIT)))
                except (OSError, UsageError):
                    unit = Unit(
                        unit_id=entry.unit_id,
                        sweep_id=self._folder.sweep_id,
                        nonce="",
                        may_reduce=False,
                        total=0,
                        todo=(),
                    )
                attempt = Attempt(
                    unit=unit, number=entry.number, folder=path, handle=entry.handle, place=entry.place
                )
                self._running[attempt.name] = attempt
        return self._running

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

    def _checked(self, folder: RunFolder, attempt: Attempt, fingerprints: set[str]) -> RunRecord | None:
        """The record of a run that this attempt was to make, as it is to be kept; None for any other."""
        if not RUN_ID.fullmatch(folder.run_id):
            return None
        if folder.path.is_symlink():
            raise ResultsError("it is a link")
        _keep_regular_files(folder.path)
        record = folder.read_record()
        place = record.sweep
        if place is None or place.sweep_id != attempt.unit.sweep_id or place.fingerprint not in fingerprints:
            raise ResultsError("it isn't a run of this unit")
        if record.run_id != folder.run_id:
            raise ResultsError(f"its record is that of {record.run_id}")
        before = self.known().get(place.fingerprint)
        if before is not None and before[0].run_id != folder.run_id and before[1].sweep is not None:
            tries = before[1].sweep.earlier_tries + 1
            place = msgspec.structs.replace(place, earlier_tries=max(tries, place.earlier_tries))
            record = msgspec.structs.replace(record, sweep=place)
        return record

    def _take(self, folder: RunFolder, record: RunRecord, end: UnitEnd) -> tuple[RunFolder, RunRecord]:
        """Rename the run into the results folder, and log it."""
        results_dir = self._folder.results_dir
        target = RunFolder(results_dir / folder.run_id)
        before = None
        if target.run_json.exists():
            before = target.read_record()
            if before.sweep is None or before.sweep.sweep_id != self._folder.sweep_id:
                raise ResultsError(f"another run has its id: {target.path}")
            record = msgspec.structs.replace(record, remarks=before.remarks)
        if record.status is RunStatus.STARTED:
            record = _cut_off(record, end)
        folder.write_record(record)
        entry = self._runs.entry(target, before)
        entry.note()
        with explained("move to", target.path):
            if target.path.exists():
                target.path.rename(folder.path.parent / f"{_REPLACED}{folder.run_id}")
            folder.path.rename(target.path)
            sync_folder(results_dir)
            sync_folder(folder.path.parent)
        return target, entry.finish(record)


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


def _document(attempt: Attempt) -> UnitDocument | None:
    try:
        return read_unit(read_file(attempt.folder / UNIT))
    except (OSError, UsageError):
        return None


def _copy(source: Path, target: Path) -> None:
    """A run's folder, but its lock."""
    shutil.copytree(source, target, symlinks=True, ignore=lambda _, names: _NOT_COPIED & set(names))
    _keep_regular_files(target)


def _keep_regular_files(folder: Path) -> None:
    """Remove what a run's folder never has: links, pipes, devices."""
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = os.path.join(parent, name)  # noqa: PTH118 - often
            mode = os.lstat(path).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                os.unlink(path)  # noqa: PTH108


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _message(error: BaseException) -> str:
    return error.message if isinstance(error, ResultsError) else str(error)
