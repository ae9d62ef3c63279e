"""The progress of sweeps, as a table."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from results.errors import BenchError
from results.records import RunStatus
from results.store.sweep_folder import SweepFolder, all_sweeps
from results.views.run_text import shown_status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from results.records import RunRecord
    from results.store.run_folder import RunFolder

WATCH_S = 1.0
ENDED = {RunStatus.SUCCEEDED, RunStatus.FAILED}
HEADER = ("run", "status", "score", "completions", "seconds", "id")


def print_sweeps(results_dir: Path, *, warn: Callable[[str], None]) -> None:
    """All sweeps, one per line."""
    rows = [("sweep", "status", "runs")]
    for folder in all_sweeps(results_dir):
        try:
            runs = _rows(folder, warn)
            rows.append((folder.sweep_id, _state(folder, runs), _counts(runs)))
        except BenchError as error:
            warn(error.message)
    _print(rows)


def print_status(folder: SweepFolder, *, warn: Callable[[str], None]) -> None:
    """The sweep's runs, one per line."""
    click.echo("\n".join(_lines(folder, warn)))


def watch_status(folder: SweepFolder) -> None:
    """Update the table on a terminal until the sweep ends."""
    from rich.live import Live
    from rich.text import Text

    warnings: list[str] = []
    with Live(auto_refresh=False) as live:
        while True:
            alive = folder.worker_pid() is not None
            live.update(Text("\n".join(_lines(folder, warnings.append))), refresh=True)
            if not alive:
                return
            time.sleep(WATCH_S)


def _lines(folder: SweepFolder, warn: Callable[[str], None]) -> list[str]:
    rows = _rows(folder, warn)
    return [f"{folder.sweep_id}: {_state(folder, rows)}, {_counts(rows)}", *_aligned([HEADER, *rows])]


def _state(folder: SweepFolder, rows: Sequence[tuple[str, ...]]) -> str:
    pid = folder.worker_pid()
    if pid is not None:
        return f"running (process {pid})"
    return "finished" if all(row[1] in ENDED for row in rows) else "stopped"


def _rows(folder: SweepFolder, warn: Callable[[str], None]) -> list[tuple[str, ...]]:
    return [_row(planned.label, found) for planned, found in folder.planned(warn=warn)]


def _row(label: str, found: tuple[RunFolder, RunRecord] | None) -> tuple[str, ...]:
    if found is None:
        return (label, "waiting", "", "", "", "")
    run, record = found
    status = run.effective_status(record)
    score = "" if record.score is None or record.score.score is None else f"{record.score.score:.1f}"
    seconds = "" if record.results.time_taken is None else f"{record.results.time_taken:.0f}"
    return (label, shown_status(status), score, _completions(run, record), seconds, record.run_id)


def _completions(run: RunFolder, record: RunRecord) -> str:
    if record.score is not None and record.score.completions is not None:
        return str(record.score.completions)
    try:
        return str(run.completions.read_bytes().count(b"\n"))
    except OSError:
        return ""


def _counts(rows: Sequence[tuple[str, ...]]) -> str:
    count = {word: sum(row[1] == word for row in rows) for word in dict.fromkeys(row[1] for row in rows)}
    return f"{len(rows)} runs: " + ", ".join(f"{number} {word}" for word, number in count.items())


def _print(rows: Sequence[tuple[str, ...]]) -> None:
    click.echo("\n".join(_aligned(rows)))


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Columns on a terminal, otherwise tabs for `cut` and `awk`."""
    import sys

    if not sys.stdout.isatty():
        return ["\t".join(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
