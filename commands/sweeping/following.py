"""The commands to use beside a sweep, in another terminal or later: `status`, `retry`, `cancel`."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import click

from commands.options import SweepName, SweepOrRunName, find_sweep_or_run, named_argument, results_dir_option
from results.store.run_folder import default_results_dir
from results.views.terminal import say, warn

if TYPE_CHECKING:
    from pathlib import Path

CANCEL_S = 90.0


@click.command()
@named_argument(SweepOrRunName(), required=False)
@click.option("--watch", is_flag=True, help="Update it every second, until it ends.")
@results_dir_option
def status(*, name: str | None, watch: bool, results_dir: Path | None) -> None:
    """Show what a sweep, or a run, has done, is doing and has left to do; without a name, all sweeps."""
    from results.store.sweep_folder import SweepFolder
    from sweeps import status as statuses

    results_dir = results_dir or default_results_dir()
    if name is None:
        statuses.print_sweeps(results_dir, warn=warn)
        return
    single = statuses.single_run_in_progress(results_dir) if name == "last" else None
    found = single or find_sweep_or_run(results_dir, name)
    watches = watch and sys.stdout.isatty()
    if isinstance(found, SweepFolder):
        statuses.watch_status(found) if watches else statuses.print_status(found, warn=warn)
    else:
        statuses.watch_run(found) if watches else statuses.print_run_status(found)


@click.command()
@named_argument(SweepName())
@results_dir_option
def retry(*, name: str, results_dir: Path | None) -> None:
    """Try a sweep's failed runs again: in the running sweep if there is one, otherwise here and now."""
    from commands.sweep import sweep
    from results.store.sweep_folder import SweepFolder
    from sweeps.retries import request_retries

    folder = SweepFolder.find(results_dir or default_results_dir(), name)
    if folder.worker_pid() is None:
        context = click.get_current_context()
        context.invoke(sweep, retry_failed=folder.sweep_id, results_dir=folder.results_dir)
        return
    count = request_retries(folder, warn=warn)
    say(f"{count} failed runs will be tried again by the running sweep")


@click.command()
@named_argument(SweepName())
@results_dir_option
def cancel(*, name: str, results_dir: Path | None) -> None:
    """Stop a running sweep cleanly. Finished work is kept, and --resume continues it."""
    from results.errors import ResultsError, UsageError
    from results.store.sweep_folder import SweepFolder

    folder = SweepFolder.find(results_dir or default_results_dir(), name)
    pid = folder.worker_pid()
    if pid is None:
        raise UsageError(
            f"the sweep {folder.sweep_id} is not running",
            hint=f"see `bench_runner.py status {folder.sweep_id}`; `sweep --resume {folder.sweep_id}` continues it",
        )
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + CANCEL_S
    while folder.worker_pid() == pid:
        if time.monotonic() > deadline:
            raise ResultsError(
                f"process {pid} has not ended after {CANCEL_S:.0f} s", hint=f"kill -9 {pid} is safe"
            )
        time.sleep(0.1)
    say(f"cancelled; continue with: bench_runner.py sweep --resume {folder.sweep_id}")
