"""The progress of sweeps, and of single runs, as tables."""

from __future__ import annotations

import contextlib
import datetime as dt
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from results.errors import BenchError
from results.files import read_file
from results.plain_text import plain
from results.records import RunStatus
from results.stats.speed import answering_speed
from results.store.names import short_names
from results.store.run_folder import all_folders
from results.store.runs import begun_runs
from results.store.sweep_folder import SweepFolder, all_sweeps
from results.views.run_text import shown_status
from results.views.terminal import aligned, console, print_table, say
from runner.progress import ProgressReader, RunProgress
from sweeps.preflight.report import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from results.records import Incident, RunRecord
    from results.store.run_folder import RunFolder

WATCH_S = 1.0
DELETED, WAITING, RUNNING = "deleted", "waiting", "running"
ENDED = {RunStatus.SUCCEEDED, RunStatus.FAILED, DELETED}
HEADER = ("run", "status", "score", "completions", "tokens/s", "left", "seconds", "id")
_MAY_BE_EMPTY = {"tokens/s", "left"}  # columns that a terminal doesn't show then


class _Line(NamedTuple):
    """One planned run, or a single one: its cells, its record if there is one, and how far it is if it goes on."""

    cells: tuple[str, ...]
    record: RunRecord | None = None
    progress: RunProgress = RunProgress()

    @property
    def status(self) -> str:
        return self.cells[1]


class _Readers:
    """What follows the runs in progress, by id, so that a file is read once."""

    def __init__(self) -> None:
        self._readers: dict[str, ProgressReader] = {}

    def progress(self, run: RunFolder) -> RunProgress:
        return self._readers.setdefault(run.run_id, ProgressReader(run)).read()


def print_sweeps(results_dir: Path, *, warn: Callable[[str], None]) -> None:
    """Print all sweeps, one per line, and the single runs in progress."""
    rows = []
    readers = _Readers()
    for folder in all_sweeps(results_dir):
        try:
            lines = _lines(folder, warn, readers)
            rows.append((folder.sweep_id, _state(folder, lines), _counts(lines)))
        except BenchError as error:
            warn(error.message)
    print_table(("sweep", "status", "runs"), rows)
    single = [_look_at_run(run, readers)[2][0] for run in _single_runs(results_dir)]
    if single:
        say()
        print_table(*_columns([line.cells for line in single]))


def single_run_in_progress(results_dir: Path) -> RunFolder | None:
    """The newest run in progress that belongs to no sweep, if no sweep is in progress."""
    if any(folder.worker_pid() is not None for folder in all_sweeps(results_dir)):
        return None
    return next(reversed(_single_runs(results_dir)), None)


def _single_runs(results_dir: Path) -> list[RunFolder]:
    """The runs in progress that belong to no sweep, oldest first. Costs the same for any number of finished runs."""
    found = []
    for folder in begun_runs(results_dir):
        with contextlib.suppress(BenchError):
            if folder.is_alive() and folder.read_record().sweep is None:
                found.append(folder)
    return found


def print_status(folder: SweepFolder, *, warn: Callable[[str], None]) -> None:
    """Print the sweep's runs, one per line; on a terminal, also what the devices do and the last incident."""
    lines = _lines(folder, warn, _Readers())
    say(_head(folder, lines))
    if not sys.stdout.isatty():
        print_table(HEADER, [line.cells for line in lines])
        return
    print_table(*_columns(_with_short_ids(folder.results_dir, lines)))
    for text in _below(lines):
        say(text)


def watch_status(folder: SweepFolder) -> None:
    """Update the table on a terminal until the sweep ends."""
    readers, warnings = _Readers(), list[str]()

    def look() -> tuple[bool, str, list[_Line]]:
        alive = folder.worker_pid() is not None
        lines = _lines(folder, warnings.append, readers)
        return alive, _head(folder, lines), lines

    _watch(folder.results_dir, look)


def print_run_status(run: RunFolder) -> None:
    """Print how far a single run is. Raises ResultsError."""
    _, _, (line,) = _look_at_run(run, _Readers())
    print_table(*_columns([line.cells]) if sys.stdout.isatty() else (HEADER, [line.cells]))
    for text in _below([line]):
        say(text)


def watch_run(run: RunFolder) -> None:
    """Update a single run's line on a terminal until it ends. Raises ResultsError."""
    readers = _Readers()
    _watch(run.path.parent, lambda: _look_at_run(run, readers))


def _look_at_run(run: RunFolder, readers: _Readers) -> tuple[bool, str, list[_Line]]:
    alive = run.is_alive()
    record = run.read_record()
    return alive, run.run_id, [_line(f"{record.model} {record.benchmark}", run, record, readers)]


def _watch(results_dir: Path, look: Callable[[], tuple[bool, str, list[_Line]]]) -> None:
    """look: says whether it goes on, what stands above the table, and its lines."""
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    terminal = console()
    with Live(console=terminal, auto_refresh=False) as live:
        while True:
            alive, head, lines = look()
            table = aligned(*_columns(_with_short_ids(results_dir, lines)), width=terminal.width)
            below = [Text(plain(text)) for text in _below(lines)]
            live.update(Group(Text(plain(head)), table, *below), refresh=True)
            if not alive:
                return
            time.sleep(WATCH_S)


def _columns(rows: Sequence[tuple[str, ...]]) -> tuple[list[str], list[list[str]]]:
    """Heading and rows for a terminal, without columns that say nothing."""
    kept = [at for at, name in enumerate(HEADER) if name not in _MAY_BE_EMPTY or any(row[at] for row in rows)]
    return [HEADER[at] for at in kept], [[row[at] for at in kept] for row in rows]


def _with_short_ids(results_dir: Path, lines: Iterable[_Line]) -> list[tuple[str, ...]]:
    rows = [line.cells for line in lines]
    known = [run.run_id for run in all_folders(results_dir)]
    shown = short_names((row[-1] for row in rows if row[-1]), known)
    return [(*row[:-1], shown.get(row[-1], "")) for row in rows]


def _head(folder: SweepFolder, lines: Sequence[_Line]) -> str:
    left_s = _left_s(lines) if folder.worker_pid() is not None else None
    left = "" if left_s is None else f"; about {duration(left_s)} left"
    return f"{folder.sweep_id}: {_state(folder, lines)}, {_counts(lines)}{left}"


def _state(folder: SweepFolder, lines: Sequence[_Line]) -> str:
    pid = folder.worker_pid()
    if pid is not None:
        return f"running (process {pid})"
    return "finished" if all(line.status in ENDED for line in lines) else "stopped"


def _left_s(lines: Sequence[_Line]) -> float | None:
    """Seconds until the sweep ends, if those that wait take as long as those that have succeeded; None if that can't be
    told.
    """
    running = [line.progress.left_s for line in lines if line.status == RUNNING]
    waiting = sum(line.status in {WAITING, RunStatus.INTERRUPTED} for line in lines)
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


def _lines(folder: SweepFolder, warn: Callable[[str], None], readers: _Readers) -> list[_Line]:
    return [
        _Line((planned.label, DELETED if folder.is_deleted(planned) else WAITING, *[""] * (len(HEADER) - 2)))
        if found is None
        else _line(planned.label, *found, readers)
        for planned, found in folder.planned(warn=warn)
    ]


def _line(label: str, run: RunFolder, record: RunRecord, readers: _Readers) -> _Line:
    status = run.effective_status(record)
    progress = readers.progress(run) if status is RunStatus.STARTED else RunProgress()
    score = "" if record.score is None or record.score.score is None else f"{record.score.score:.1f}"
    seconds = "" if record.results.time_taken is None else f"{record.results.time_taken:.0f}"
    rate = answering_speed(record.score) if record.score is not None else progress.tokens_per_s
    cells = (
        label,
        shown_status(status),
        score,
        _completions(run, record, progress),
        "" if rate is None else f"{rate:.1f}",
        "" if progress.left_s is None else duration(progress.left_s),
        seconds if status is not RunStatus.STARTED else "",
        record.run_id,
    )
    return _Line(cells, record, progress)


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


def _below(lines: Sequence[_Line]) -> list[str]:
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
        found.append(f"last incident: {_clock(incident)}, {line.cells[0]}: {incident.what}")
    return found


def _clock(incident: Incident) -> str:
    """When it was, in this machine's time."""
    try:
        return dt.datetime.fromisoformat(incident.time).astimezone().strftime("%d %b %H:%M:%S")
    except ValueError:
        return incident.time


def _counts(lines: Sequence[_Line]) -> str:
    count = {
        word: sum(line.status == word for line in lines)
        for word in dict.fromkeys(line.status for line in lines)
    }
    return f"{len(lines)} runs: " + ", ".join(f"{number} {word}" for word, number in count.items())
