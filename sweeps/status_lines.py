"""The lines of a status table: what each run of a sweep has done, where it is, and how far it is."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from results.files import read_file
from results.prompts.optimisation import optimisation_of
from results.records import RunStatus
from results.stats.speed import answering_speed
from results.store.attempts import Attempts
from results.views.run_text import shown_status
from runner.progress import ProgressReader, RunProgress
from sweeps.preflight.report import duration
from sweeps.whereabouts import NOWHERE, goes_on_alone, whereabouts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from results.records import RunRecord
    from results.store.attempts import AttemptEntry
    from results.store.run_folder import RunFolder
    from results.store.sweep_folder import PlanEntry, Sweep, SweepFolder
    from sweeps.whereabouts import Whereabouts

DELETED, WAITING, QUEUED, RUNNING = "deleted", "waiting", "queued", "running"
ENDED = {RunStatus.SUCCEEDED, RunStatus.FAILED, DELETED}
HEADER = ("run", "status", "score", "completions", "tokens/s", "left", "seconds", "id", "where")
ID = HEADER.index("id")
MAY_BE_EMPTY = {"tokens/s", "left", "where"}  # columns that a terminal doesn't show then


class Line(NamedTuple):
    """One planned run, or a single one: its cells, its record if there is one, how far it is if it goes on, and its
    place in the sweep.
    """

    cells: tuple[str, ...]
    record: RunRecord | None = None
    progress: RunProgress = RunProgress()
    planned: PlanEntry | None = None

    @property
    def status(self) -> str:
        return self.cells[1]

    def at(self, place: str, planned: PlanEntry) -> Line:
        """The same, on a machine, as a planned run."""
        return self._replace(cells=(*self.cells[:-1], place), planned=planned)


class Readers:
    """What follows the runs in progress, by folder, so that a file is read once."""

    def __init__(self) -> None:
        self._readers: dict[str, ProgressReader] = {}

    def progress(self, run: RunFolder) -> RunProgress:
        return self._readers.setdefault(str(run.path), ProgressReader(run)).read()


@dataclass(frozen=True, kw_only=True)
class SweepState:
    """A sweep as it is now. pid: of the process that coordinates it on this machine. alone: its engine goes on without
    one.
    """

    folder: SweepFolder
    sweep: Sweep
    lines: tuple[Line, ...]
    where: Whereabouts
    pid: int | None
    alone: bool

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do, here or on a machine."""
        return all(line.status in ENDED for line in self.lines)

    @property
    def goes_on(self) -> bool:
        return self.pid is not None or (self.alone and bool(self.where.running) and not self.is_over)

    @property
    def text(self) -> str:
        """In a word or two, such as "finished"."""
        if self.pid is not None:
            return f"running (process {self.pid})"
        engine = self.sweep.engine.name if self.sweep.engine is not None else ""
        if self.is_over:
            return (
                f"ended at {engine}, not taken over yet" if self.alone and self.where.running else "finished"
            )
        return f"detached: goes on at {engine}" if self.goes_on else "stopped"

    @property
    def head(self) -> str:
        """The line above the table."""
        left_s = _left_s(self.lines) if self.pid is not None else None
        left = "" if left_s is None else f"; about {duration(left_s)} left"
        on = f" on {self.sweep.engine.name}" if self.sweep.engine is not None and self.pid is not None else ""
        return f"{self.folder.sweep_id}: {self.text}{on}, {counts(self.lines)}{left}"

    @property
    def below(self) -> list[str]:
        """The lines below the table."""
        found = below(self.lines)
        if self.pid is not None and (waits := Attempts(self.folder.path).waits()) is not None:
            found.append(f"since {clock(waits.since)}: {waits.text}")
        if self.where.lost:
            count, last = len(self.where.lost), self.where.lost[-1]
            attempts = "1 attempt was" if count == 1 else f"{count} attempts were"
            found.append(f"{attempts} lost or refused, the last one {lost_text(last)}")
        if self.alone and self.where.running:
            found.append(
                f"bench_runner.py attach {self.folder.sweep_id} follows it and takes over what is done"
            )
        return found


def look(folder: SweepFolder, warn: Callable[[str], None], readers: Readers) -> SweepState:
    """Read a sweep's state. Raises ResultsError."""
    sweep = folder.read()
    where = whereabouts(folder, warn)
    pid = folder.worker_pid()
    alone = bool(where.running) and pid is None and goes_on_alone(sweep)
    goes_on = pid is not None or alone
    lines = tuple(
        _line_of(planned, found, where, readers, goes_on=goes_on)
        or _line_without_run(planned, where if goes_on else NOWHERE, is_deleted=folder.is_deleted(planned))
        for planned, found in folder.planned(warn=warn)
    )
    if sweep.engine is None:  # all on this machine
        lines = tuple(line._replace(cells=(*line.cells[:-1], "")) for line in lines)
    return SweepState(folder=folder, sweep=sweep, lines=lines, where=where, pid=pid, alone=alone)


def run_line(run: RunFolder, readers: Readers) -> Line:
    """The line of a single run. Raises ResultsError."""
    record = run.read_record()
    return _line(f"{record.model} {record.benchmark}", run, record, readers, run.effective_status(record))


def _line_of(
    planned: PlanEntry,
    found: tuple[RunFolder, RunRecord] | None,
    where: Whereabouts,
    readers: Readers,
    *,
    goes_on: bool,
) -> Line | None:
    """Of a planned run that has a record, here or in an attempt; None for others."""
    live = where.run(planned)
    if live is not None:
        status = live.record.status
        if status is RunStatus.STARTED and not goes_on:
            status = RunStatus.INTERRUPTED
        line = _line(planned.label, live.folder, live.record, readers, status)
        return line.at(_place(live.place, live.attempt), planned)
    if found is None:
        return None
    run, record = found
    status = run.effective_status(record)
    line = _line(planned.label, run, record, readers, status)
    attempt = where.attempt(planned) if goes_on and status is RunStatus.INTERRUPTED else None
    if attempt is None:
        return line.at(where.place_of(planned, record), planned)
    cells = (line.cells[0], QUEUED, *line.cells[2:])
    return line._replace(cells=cells).at(_place(attempt.place, attempt), planned)


def _line_without_run(planned: PlanEntry, where: Whereabouts, *, is_deleted: bool) -> Line:
    attempt = where.attempt(planned)
    word = DELETED if is_deleted else QUEUED if attempt is not None else WAITING
    cells = (planned.label, word, *[""] * (len(HEADER) - 2))
    return Line(cells).at(_place(attempt.place, attempt) if attempt is not None else "", planned)


def _place(place: str, attempt: AttemptEntry) -> str:
    where = place or attempt.handle
    return f"{where} (attempt {attempt.number})" if attempt.number > 1 else where


def _score(record: RunRecord) -> str:
    """Of a search for a better prompt, whether a gain is shown."""
    if record.score is None:
        return ""
    if (search := optimisation_of(record.score.details)) is not None:
        return "gain" if search.gain is not None and search.gain.shown else "no gain"
    return "" if record.score.score is None else f"{record.score.score:.1f}"


def _line(label: str, run: RunFolder, record: RunRecord, readers: Readers, status: RunStatus) -> Line:
    progress = readers.progress(run) if status is RunStatus.STARTED else RunProgress()
    seconds = "" if record.results.time_taken is None else f"{record.results.time_taken:.0f}"
    rate = answering_speed(record.score) if record.score is not None else progress.tokens_per_s
    cells = (
        label,
        shown_status(status),
        _score(record),
        _completions(run, record, progress),
        "" if rate is None else f"{rate:.1f}",
        "" if progress.left_s is None else duration(progress.left_s),
        seconds if status is not RunStatus.STARTED else "",
        record.run_id,
        "",
    )
    return Line(cells, record, progress)


def _left_s(lines: Sequence[Line]) -> float | None:
    """Seconds until the sweep ends, if those that wait take as long as those that have succeeded; None if that can't be
    told.
    """
    running = [line.progress.left_s for line in lines if line.status == RUNNING]
    waiting = sum(line.status in {WAITING, QUEUED, RunStatus.INTERRUPTED} for line in lines)
    took = [
        line.record.results.time_taken
        for line in lines
        if line.status == RunStatus.SUCCEEDED and line.record and line.record.results.time_taken
    ]
    known = [seconds for seconds in running if seconds is not None]
    if len(known) < len(running) or (waiting and not took) or not (running or waiting):
        return None
    each_s = sum(took) / len(took) if took else 0.0
    return (sum(known) + waiting * each_s) / max(1, len(running))


def _completions(run: RunFolder, record: RunRecord, progress: RunProgress) -> str:
    """How many are done, of how many if that is known and it goes on."""
    if record.score is not None and record.score.completions is not None:
        return str(record.score.completions)
    if progress.done is not None and progress.total:
        return f"{progress.done}/{progress.total}"
    try:
        return str(read_file(run.completions).count(b"\n"))
    except OSError:
        return ""


def below(lines: Sequence[Line]) -> list[str]:
    """What the devices of the runs in progress do, and the last incident."""
    running = [line for line in lines if line.status == RUNNING]
    found = []
    for line in running:
        phase = {"load": "starting its server", "baseline": "starting"}.get(line.progress.phase, "")
        label = f"{line.cells[0]}: " if len(running) > 1 else ""
        found += [f"{label}{text}" for text in ([phase] if phase else []) + list(line.progress.devices)]
    incidents = [(each, line) for line in lines if line.record is not None for each in line.record.incidents]
    if incidents:
        incident, line = max(incidents, key=lambda found: found[0].time)
        found.append(f"last incident: {clock(incident.time)}, {line.cells[0]}: {incident.what}")
    return found


def clock(time: str) -> str:
    """When it was, in this machine's time."""
    try:
        return dt.datetime.fromisoformat(time).astimezone().strftime("%d %b %H:%M:%S")
    except ValueError:
        return time


def lost_text(entry: AttemptEntry) -> str:
    """Where, when and why."""
    at = f" on {entry.place}" if entry.place else ""
    why = f": {entry.why}" if entry.why else ""
    return f"{clock(entry.at)}{at}{why}"


def counts(lines: Sequence[Line]) -> str:
    count = {
        word: sum(line.status == word for line in lines)
        for word in dict.fromkeys(line.status for line in lines)
    }
    return f"{len(lines)} runs: " + ", ".join(f"{number} {word}" for word, number in count.items())
