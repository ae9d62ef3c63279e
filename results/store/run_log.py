"""The run log, `benchmark_results.json`. Adding a run takes constant time; a broken log is detected and rebuilt."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from pathlib import Path
from typing import TYPE_CHECKING

from results.durable import explained, replace_file, sync_folder, write_at
from results.errors import ResultsError
from results.files import open_regular, read_file, require_regular
from results.locks import lock
from results.records import RunRecord, RunStatus, encode_record
from results.store.names import NameFacts, match_name
from results.store.run_folder import all_records
from results.store.run_log_format import CLOSE, BrokenLog, parse, place_to_append, render, salvage

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from tinydb.table import Table

    from results.store.run_folder import RunFolder

RUN_LOG_NAME = "benchmark_results.json"


class RunLog:
    """The log at `path`, a regular file or a link to one. The run folders are next to that path.

    Safe to use from any number of processes at once.

    warn: called with a sentence if the log was broken, saying what was done; by default it goes to `warnings`.
    Once `append` returns, the record is durably in the log; if it raises, the log is unchanged.
    A truncated or hand-broken log is set aside as `benchmark_results.json.broken-<time>` and rebuilt from the run
    folders and its own intact records. Every method raises ResultsError for a log that can't be read or written, or
    that has a record of a newer schema.

    Accepted trade-offs: `append` checks only both ends of the file, so damage in the middle is found by the next read;
    the advisory lock (flock on a file next to the log) does not stop an editor.
    """

    def __init__(self, path: Path, *, warn: Callable[[str], None] | None = None) -> None:
        self.path = Path(os.path.realpath(path))  # a link stays a link when the file is replaced
        self.results_dir = path.absolute().parent
        self._given = path
        self.warnings: list[str] = []
        self._warn = warn or self.warnings.append

    def append(self, record: RunRecord, *, replace: bool = False) -> None:
        """Add a run, at a cost that doesn't grow with the log.

        replace: the log may have the run already (it was resumed); its line is replaced by rewriting the file.
        """
        line = encode_record(record)
        with self._adding():
            self._append(record.run_id, line, replace=replace)

    def append_from(self, folder: RunFolder, *, replace: bool = False) -> RunRecord:
        """The same for the record in a run's folder, as `amend` may have changed it. Returns it."""
        with self._adding():
            record = folder.read_record()
            self._append(record.run_id, encode_record(record), replace=replace)
        return record

    def append_all(self, folders: Iterable[RunFolder]) -> None:
        """Add the runs in these folders, or replace their lines, by rewriting the file once."""
        with self._adding():
            records = {folder.run_id: encode_record(folder.read_record()) for folder in folders}
            kept = {record.run_id: line for line, record in self._repair().items()}
            replace_file(self.path, render([*(kept | records).values()]))

    def amend(
        self, folders: Iterable[RunFolder], change: Callable[[RunRecord], RunRecord]
    ) -> list[RunRecord]:
        """Change runs' records in their folders and then, for those that it has, in the log, where no other program
        changes them meanwhile. Returns the new records.
        """
        with self._adding():
            records: dict[str, RunRecord] = {}
            for folder in folders:
                record = change(folder.read_record())
                folder.write_record(record)
                records[record.run_id] = record
            kept = self._repair()
            lines = [
                encode_record(records[old.run_id]) if old.run_id in records else line
                for line, old in kept.items()
            ]
            if lines != [*kept]:
                replace_file(self.path, render(lines))
        return [*records.values()]

    def remove(self, run_ids: Collection[str], *, first: Callable[[], None] = lambda: None) -> None:
        """Remove runs; those that it doesn't have are ignored. first: called with the log's lock held.

        If `first` raises, the log is unchanged.
        """
        wanted = set(run_ids)
        with explained("remove runs from", self.path), self.locked():
            first()
            kept = self._repair()
            if any(record.run_id in wanted for record in kept.values()):
                replace_file(
                    self.path,
                    render([line for line, record in kept.items() if record.run_id not in wanted]),
                )

    def check(self) -> None:
        """Check that a run can be added, before one begins. Repairs a broken log."""
        with explained("write to", self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.locked():
                if not _is_whole(self.path):
                    self._repair()

    def runs(self) -> tuple[RunRecord, ...]:
        """All runs, in the log's order."""
        return tuple({record.run_id: record for record in self.lines().values()}.values())

    def get(self, name: str) -> RunRecord:
        """The run by its name, as `match_name` says. Raises UsageError, which lists candidates."""
        runs = {record.run_id: record for record in self.runs()}
        return runs[match_name(name, runs, lambda run_id: _name_facts(runs[run_id]))]

    def table(self) -> Table:
        """The runs as a TinyDB table, to query and to update."""
        from tinydb import TinyDB

        from results.store.run_log_storage import RunLogStorage

        return TinyDB(self.path, lines=self.lines, locked=self.locked, storage=RunLogStorage).table("runs")

    def lines(self) -> Mapping[bytes, RunRecord]:
        """All records by their line of JSON, in the log's order. Repairs a broken log first."""
        with explained("read", self.path):
            with self.locked(shared=True):
                data = self._read()
            with contextlib.suppress(BrokenLog):
                if data.strip():
                    return parse(data, where=str(self.path))
            if not data.strip() and not self._finished_runs():
                return {}
            with self.locked():
                return self._repair()

    def rebuild(self) -> None:
        """Set the log aside and rebuild it from the run folders and its own intact records."""
        with explained("rebuild", self.path), self.locked():
            self._rebuild(self._read(), reason="a rebuild was asked for")

    @contextlib.contextmanager
    def locked(self, *, shared: bool = False) -> Iterator[None]:
        """Hold the log's lock. shared: for reading only; then a lock file that can't be created is ignored."""
        with contextlib.suppress(FileNotFoundError):
            require_regular(self._given, self._given.stat())  # before creating anything next to it
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(lock(self.path.with_name(self.path.name + ".lock"), shared=shared))
            except OSError:
                if not shared:
                    raise
            yield

    @contextlib.contextmanager
    def _adding(self) -> Iterator[None]:
        with explained("add a run to", self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.locked():
                yield

    def _append(self, run_id: str, line: bytes, *, replace: bool) -> None:
        if replace:
            self._replace(run_id, line)
        elif not _extend(self.path, line):
            self._repair(leave_out=run_id)
            if not _extend(self.path, line):
                raise ResultsError(f"{self.path} changed while it was locked", hint="try again")

    def _read(self) -> bytes:
        try:
            return read_file(self.path)
        except FileNotFoundError:
            return b""

    def _replace(self, run_id: str, line: bytes) -> None:
        kept = self._repair(leave_out=run_id)
        lines = [line if record.run_id == run_id else old for old, record in kept.items()]
        replace_file(self.path, render(lines if line in lines else [*lines, line]))

    def _repair(self, *, leave_out: str = "") -> Mapping[bytes, RunRecord]:
        """Repair the file, and write it in our layout. Call it with the lock held. leave_out: a run about to be
        added.
        """
        data = self._read()
        reason = ""
        if data.strip():
            try:
                found = parse(data, where=str(self.path))
            except BrokenLog as error:
                reason = str(error)
            else:
                if data != render([*found]):
                    replace_file(self.path, render([*found]))
                return found
        return self._rebuild(data, reason=reason, leave_out=leave_out)

    def _rebuild(self, data: bytes, *, reason: str, leave_out: str = "") -> Mapping[bytes, RunRecord]:
        salvaged = salvage(data, where=str(self.path))
        by_run = {record.run_id: (line, record) for line, record in salvaged.items()}
        finished = self._finished_runs()
        by_run.update((run_id, (encode_record(record), record)) for run_id, record in finished.items())
        by_run.pop(leave_out, None)
        ordered = dict(sorted(by_run.values(), key=lambda pair: (pair[1].timestamp, pair[1].run_id)))
        aside = self._set_aside() if data.strip() else None
        try:
            replace_file(self.path, render([*ordered]))
        except BaseException:
            if aside:
                aside.unlink()
            raise
        from_folders = len(finished.keys() & by_run.keys())
        what = f"{len(by_run)} runs, {from_folders} of them from their folders"
        if aside:
            self._warn(
                f"{self.path} was broken ({reason}); it was set aside as {aside.name} and rebuilt: {what}"
            )
        elif by_run:
            self._warn(f"{self.path} was missing or empty; it was rebuilt: {what}")
        return ordered

    def _finished_runs(self) -> dict[str, RunRecord]:
        """The runs in the folders, except running ones, which their own harness adds at the end."""
        return {
            record.run_id: record
            for folder, record in all_records(self.results_dir, warn=self._warn)
            if record.status is not RunStatus.STARTED and not folder.is_alive()
        }

    def _set_aside(self) -> Path:
        """Give the broken file a second name; the first stays until the new file replaces it in one step."""
        now = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        aside = self.path.with_name(f"{self.path.name}.broken-{now}")
        try:
            os.link(self.path, aside)
        except OSError:  # a file system without hard links
            import shutil

            try:
                shutil.copyfile(self.path, aside)
            except BaseException:
                aside.unlink(missing_ok=True)
                raise
        sync_folder(self.path.parent)
        return aside


def _name_facts(record: RunRecord) -> NameFacts:
    remarks = record.remarks
    return NameFacts((record.model, record.benchmark), label=remarks.label, hidden=remarks.archived)


def _is_whole(path: Path) -> bool:
    """Whether the file exists, is writable, and looks intact at both ends. Raises OSError."""
    try:
        descriptor = open_regular(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        return place_to_append(descriptor) is not None
    finally:
        os.close(descriptor)


def _extend(path: Path, line: bytes) -> bool:
    """Write the line over the closing brackets and close them again. Call it with the lock held.

    False if the file is missing or damaged. Raises OSError, with the file unchanged.
    """
    try:
        descriptor = open_regular(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        place = place_to_append(descriptor)
        if place is None:
            return False
        size, before = place
        try:
            write_at(descriptor, before + line + CLOSE, size - len(CLOSE))
            os.fsync(descriptor)
        except BaseException:
            with contextlib.suppress(OSError):  # if this fails too, the next open repairs the torn tail
                os.ftruncate(descriptor, size)
                write_at(descriptor, CLOSE, size - len(CLOSE))
                os.fsync(descriptor)
            raise
    finally:
        os.close(descriptor)
    return True
