"""What engines do for a sweep: a folder for each attempt at a unit, and a journal of where each one was started.

RESULTS/sweeps/ID/attempts.jsonl            the journal: an attempt was started somewhere, or has ended
RESULTS/sweeps/ID/waits.json                what the engine waits for; not there if it waits for nothing
RESULTS/sweeps/ID/units/UNIT/NUMBER/        the folder of one attempt at a unit
    unit.json         what to do, see `engines.unit`
    node.json         which machine does it
    end.json          how it ended; only a whole attempt has one
    unit.log          what its program said
    sweeps/ID/        the node's own notes of the sweep
    RUN_ID/           its runs

Only the machine that runs the attempt writes into its folder; on another disk, the folder here is a copy that grows.
Only the sweep's coordinator writes the journal and moves runs from here into the results folder.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - a dataclass field
from typing import TYPE_CHECKING

import msgspec

from results.durable import explained, replace_file, sync_folder
from results.files import open_to_append, open_to_read, read_file
from results.json_text import NOT_THAT_JSON, encode
from results.store.run_folder import RunFolder
from results.store.run_id import RUN_ID

if TYPE_CHECKING:
    from collections.abc import Iterator

JOURNAL = "attempts.jsonl"
UNITS = "units"
STARTED = "started"
WAITS = "waits.json"


class AttemptEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the journal. what: "started", or how the attempt ended. handle: what its engine knows it by. place: the
    machine, or the scheduler's name for what it was given. at: ISO 8601.
    """

    unit_id: str
    number: int
    what: str
    at: str
    engine: str = ""
    handle: str = ""
    place: str = ""
    why: str = ""


class Waits(msgspec.Struct, frozen=True, kw_only=True):
    """`waits.json`. text: in the words of the engine. since: when it began to wait, ISO 8601."""

    text: str
    since: str


@dataclass(frozen=True)
class Attempts:
    """The attempts of the sweep whose folder is `path`."""

    path: Path

    def create(self, unit_id: str) -> tuple[int, Path]:
        """The number, from 1, and the new folder of the next attempt at a unit. Raises ResultsError."""
        parent = self.path / UNITS / unit_id
        with explained("make a folder in", parent):
            parent.mkdir(parents=True, exist_ok=True)
            number = max((int(name) for name in os.listdir(parent) if name.isdigit()), default=0) + 1  # noqa: PTH208
            folder = parent / str(number)
            folder.mkdir()
            sync_folder(parent)
        return number, folder

    def folder(self, unit_id: str, number: int) -> Path:
        return self.path / UNITS / unit_id / str(number)

    def note(self, entry: AttemptEntry) -> None:
        """Add a line to the journal, durably. Raises ResultsError."""
        line = encode(entry) + b"\n"
        with explained("write", self._journal), open_to_append(self._journal) as file:
            if not _ends_whole(self._journal):
                line = b"\n" + line  # a killed coordinator left a part of one
            while line:  # after a short write, as on a full disk, the next one raises the error
                line = line[file.write(line) :]
            os.fsync(file.fileno())

    def entries(self) -> list[AttemptEntry]:
        """The journal's lines, oldest first, without those that can't be read."""
        try:
            data = read_file(self._journal)
        except OSError:
            return []
        found = []
        for line in data.splitlines():
            with contextlib.suppress(*NOT_THAT_JSON):
                found.append(msgspec.json.decode(line, type=AttemptEntry))
        return found

    def waits(self) -> Waits | None:
        """What the engine waits for, as its coordinator said it last; None for nothing."""
        try:
            return msgspec.json.decode(read_file(self.path / WAITS), type=Waits)
        except (OSError, *NOT_THAT_JSON):
            return None

    def note_waits(self, text: str) -> None:
        """What the engine waits for; "" for nothing. Raises ResultsError."""
        with explained("write to", self.path):
            if not text:
                (self.path / WAITS).unlink(missing_ok=True)
                return
            before = self.waits()
            now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
            replace_file(self.path / WAITS, encode(Waits(text=text, since=before.since if before else now)))

    def running(self) -> list[AttemptEntry]:
        """Of each attempt that was started and has not ended: where it was started last, oldest first."""
        there: dict[tuple[str, int], AttemptEntry] = {}
        for entry in self.entries():
            key = (entry.unit_id, entry.number)
            if entry.what == STARTED:
                there[key] = entry
            else:
                there.pop(key, None)
        return list(there.values())

    def live_runs(self) -> Iterator[RunFolder]:
        """The runs that are on a machine now, as far as they are known here."""
        for entry in self.running():
            for run in runs_in(self.folder(entry.unit_id, entry.number)):
                if RUN_ID.fullmatch(run.run_id) and not run.path.is_symlink():
                    yield run

    @property
    def _journal(self) -> Path:
        return self.path / JOURNAL


def runs_in(attempt: Path) -> list[RunFolder]:
    """The runs in an attempt's folder that have a record, oldest first; [] if it can't be read."""
    try:
        names = sorted(os.listdir(attempt))  # noqa: PTH208
    except OSError:
        return []
    folders = (RunFolder(attempt / name) for name in names if not name.startswith("."))
    return [folder for folder in folders if folder.run_json.is_file()]


def _ends_whole(path: Path) -> bool:
    with open_to_read(path) as file:
        if not file.seek(0, os.SEEK_END):
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
