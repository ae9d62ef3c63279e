"""The progress of sweeps, as a table."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from results.errors import BenchError
from results.files import read_file
from results.plain_text import plain
from results.records import RunStatus
from results.store.names import short_names
from results.store.run_folder import all_folders
from results.store.sweep_folder import SweepFolder, all_sweeps
from results.views.run_text import shown_status
from results.views.terminal import aligned, console, print_table, say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from results.records import RunRecord
    from results.store.run_folder import RunFolder

WATCH_S = 1.0
DELETED = "deleted"
ENDED = {RunStatus.SUCCEEDED, RunStatus.FAILED, DELETED}
HEADER = ("run", "status", "score", "completions", "seconds", "id")


def print_sweeps(results_dir: Path, *, warn: Callable[[str], None]) -> None:
    """Print all sweeps, one per line."""
    rows = []
    for folder in all_sweeps(results_dir):
        try:
            runs = _rows(folder, warn)
            rows.append((folder.sweep_id, _state(folder, runs), _counts(runs)))
        except BenchError as error:
            warn(error.message)
    print_table(("sweep", "status", "runs"), rows)


def print_status(folder: SweepFolder, *, warn: Callable[[str], None]) -> None:
    """Print the sweep's runs, one per line."""
    rows = _rows(folder, warn)
    say(_head(folder, rows))
    print_table(HEADER, _with_short_ids(folder, rows) if sys.stdout.isatty() else rows)


def watch_status(folder: SweepFolder) -> None:
    """Update the table on a terminal until the sweep ends."""
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    warnings: list[str] = []
    terminal = console()
    with Live(console=terminal, auto_refresh=False) as live:
        while True:
            alive = folder.worker_pid() is not None
            rows = _rows(folder, warnings.append)
            table = aligned(HEADER, _with_short_ids(folder, rows), width=terminal.width)
            live.update(Group(Text(plain(_head(folder, rows))), table), refresh=True)
            if not alive:
                return
            time.sleep(WATCH_S)


def _with_short_ids(folder: SweepFolder, rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    known = [run.run_id for run in all_folders(folder.results_dir)]
    shown = short_names((row[-1] for row in rows if row[-1]), known)
    return [(*row[:-1], shown.get(row[-1], "")) for row in rows]


def _head(folder: SweepFolder, rows: Sequence[tuple[str, ...]]) -> str:
    return f"{folder.sweep_id}: {_state(folder, rows)}, {_counts(rows)}"


def _state(folder: SweepFolder, rows: Sequence[tuple[str, ...]]) -> str:
    pid = folder.worker_pid()
    if pid is not None:
        return f"running (process {pid})"
    return "finished" if all(row[1] in ENDED for row in rows) else "stopped"


def _rows(folder: SweepFolder, warn: Callable[[str], None]) -> list[tuple[str, ...]]:
    return [
        (planned.label, DELETED if folder.is_deleted(planned) else "waiting", "", "", "", "")
        if found is None
        else _row(planned.label, *found)
        for planned, found in folder.planned(warn=warn)
    ]


def _row(label: str, run: RunFolder, record: RunRecord) -> tuple[str, ...]:
    status = run.effective_status(record)
    score = "" if record.score is None or record.score.score is None else f"{record.score.score:.1f}"
    seconds = "" if record.results.time_taken is None else f"{record.results.time_taken:.0f}"
    return (label, shown_status(status), score, _completions(run, record), seconds, record.run_id)


def _completions(run: RunFolder, record: RunRecord) -> str:
    if record.score is not None and record.score.completions is not None:
        return str(record.score.completions)
    try:
        return str(read_file(run.completions).count(b"\n"))
    except OSError:
        return ""


def _counts(rows: Sequence[tuple[str, ...]]) -> str:
    count = {word: sum(row[1] == word for row in rows) for word in dict.fromkeys(row[1] for row in rows)}
    return f"{len(rows)} runs: " + ", ".join(f"{number} {word}" for word, number in count.items())
