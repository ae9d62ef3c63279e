"""The progress of sweeps, and of single runs, as tables."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING

from results.errors import BenchError
from results.plain_text import plain
from results.store.names import short_names
from results.store.run_folder import all_folders
from results.store.runs import begun_runs
from results.store.sweep_folder import SweepFolder, all_sweeps
from results.views.terminal import aligned, console, print_table, say
from sweeps.status_lines import ENDED, HEADER, ID, MAY_BE_EMPTY, Line, Readers, below, counts, look, run_line
from sweeps.whereabouts import away

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from results.store.run_folder import RunFolder
    from sweeps.whereabouts import RunAway

WATCH_S = 1.0


def print_sweeps(results_dir: Path, *, warn: Callable[[str], None]) -> None:
    """Print all sweeps, one per line, and the single runs in progress."""
    rows = []
    readers = Readers()
    for folder in all_sweeps(results_dir):
        try:
            state = look(folder, warn, readers)
            rows.append((folder.sweep_id, state.text, counts(state.lines)))
        except BenchError as error:
            warn(error.message)
    print_table(("sweep", "status", "runs"), rows)
    single = [run_line(run, readers) for run in _single_runs(results_dir)]
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
    state = look(folder, warn, Readers())
    say(state.head)
    if not sys.stdout.isatty():
        print_table(HEADER, [line.cells for line in state.lines])
        return
    print_table(*_columns(_with_short_ids(folder.results_dir, state.lines)))
    for text in state.below:
        say(text)


def watch_status(folder: SweepFolder) -> None:
    """Update the table on a terminal until the sweep ends."""
    readers, warnings = Readers(), list[str]()

    def glance() -> tuple[bool, str, Sequence[Line], list[str]]:
        state = look(folder, warnings.append, readers)
        return state.goes_on, state.head, state.lines, state.below

    _watch(folder.results_dir, glance)


def print_run_status(run: RunFolder) -> None:
    """Print how far a single run is, wherever it is. Raises ResultsError."""
    _, line = _run(run, away(run), Readers())
    print_table(*_columns([line.cells]) if sys.stdout.isatty() else (HEADER, [line.cells]))
    for text in below([line]):
        say(text)


def watch_run(run: RunFolder) -> None:
    """Update a single run's line on a terminal until it ends. Raises ResultsError."""
    readers = Readers()
    there = away(run)

    def glance() -> tuple[bool, str, Sequence[Line], list[str]]:
        alive, line = _run(run, there, readers)
        return alive, run.run_id, [line], below([line])

    _watch(there.sweep.results_dir if there is not None else run.path.parent, glance)


def _run(run: RunFolder, there: RunAway | None, readers: Readers) -> tuple[bool, Line]:
    """Whether it goes on, and its line. there: where an engine has it."""
    if there is not None:
        state = look(there.sweep, lambda _: None, readers)
        lines = [line for line in state.lines if line.record is not None and line.record.run_id == run.run_id]
        if lines:
            return state.goes_on and lines[0].status not in ENDED, lines[0]
    alive = run.is_alive()
    return alive, run_line(run, readers)


def _watch(results_dir: Path, glance: Callable[[], tuple[bool, str, Sequence[Line], list[str]]]) -> None:
    """glance: says whether it goes on, what stands above the table, its lines, and what stands below."""
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    terminal = console()
    with Live(console=terminal, auto_refresh=False) as live:
        while True:
            alive, head, lines, under = glance()
            table = aligned(*_columns(_with_short_ids(results_dir, lines)), width=terminal.width)
            texts = [Text(plain(text)) for text in under]
            live.update(Group(Text(plain(head)), table, *texts), refresh=True)
            if not alive:
                return
            time.sleep(WATCH_S)


def _columns(rows: Sequence[tuple[str, ...]]) -> tuple[list[str], list[list[str]]]:
    """Heading and rows for a terminal, without columns that say nothing."""
    kept = [at for at, name in enumerate(HEADER) if name not in MAY_BE_EMPTY or any(row[at] for row in rows)]
    return [HEADER[at] for at in kept], [[row[at] for at in kept] for row in rows]


def _with_short_ids(results_dir: Path, lines: Iterable[Line]) -> list[tuple[str, ...]]:
    rows = [line.cells for line in lines]
    known = [run.run_id for run in all_folders(results_dir)]
    shown = short_names((row[ID] for row in rows if row[ID]), known)
    return [(*row[:ID], shown.get(row[ID], ""), *row[ID + 1 :]) for row in rows]
