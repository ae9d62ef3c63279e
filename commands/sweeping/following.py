"""The commands to use beside a sweep, in another terminal or later: `status`, `retry`, `attach`, `cancel`."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import click

from commands.options import SweepName, SweepOrRunName, named_argument, results_dir_option
from results.folders import default_results_dir
from results.views.terminal import say, warn

if TYPE_CHECKING:
    from pathlib import Path

    from results.store.sweep_folder import SweepFolder

CANCEL_S = 90.0
LOOK_S = 0.5


@click.command()
@named_argument(SweepOrRunName(), required=False)
@click.option("--watch", is_flag=True, help="Update it every second, until it ends.")
@click.option("--detailed", is_flag=True, help="Also each run's machine and measurements, and each attempt.")
@click.option("--raw", is_flag=True, help="Print everything as JSON.")
@results_dir_option
def status(*, name: str | None, watch: bool, detailed: bool, raw: bool, results_dir: Path | None) -> None:
    """Show what a sweep, or a run, has done, is doing and has left to do; without a name, all sweeps."""
    from commands.sweeping.show import find_anywhere, record_text
    from results.errors import UsageError
    from results.store.sweep_folder import SweepFolder
    from sweeps import status as statuses
    from sweeps import status_details

    results_dir = results_dir or default_results_dir()
    if name is None and (raw or detailed):
        raise UsageError(
            f"--{'raw' if raw else 'detailed'} is for one sweep or run", hint="name one, such as: last"
        )
    if name is None:
        statuses.print_sweeps(results_dir, warn=warn)
        return
    single = statuses.single_run_in_progress(results_dir) if name == "last" else None
    found = single or find_anywhere(results_dir, name, alone=True)
    watches = watch and sys.stdout.isatty()
    if isinstance(found, SweepFolder):
        if raw:
            click.echo(status_details.to_json(found, warn=warn), nl=False)
            return
        statuses.watch_status(found) if watches else statuses.print_status(found, warn=warn)
        if detailed:
            status_details.print_details(found, warn=warn)
        return
    if raw:
        click.echo(record_text(found).rstrip())
        return
    statuses.watch_run(found) if watches else statuses.print_run_status(found)
    if detailed:
        status_details.print_run_details(found)


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
def attach(*, name: str, results_dir: Path | None) -> None:
    """Follow a sweep that was detached, or whose process is gone, and take over what its engine has done.

    Where a process still works on the sweep, it is watched until it ends. Otherwise this one takes its place, as by
    `sweep --resume`.
    """
    from commands.sweep import sweep
    from results.errors import UsageError
    from results.store.sweep_folder import SweepFolder
    from sweeps import status as statuses

    folder = SweepFolder.find(results_dir or default_results_dir(), name)
    if folder.worker_pid() is None and folder.read().engine is None:
        raise UsageError(
            f"the sweep {folder.sweep_id} is on no engine, so nothing of it goes on alone",
            hint=f"bench_runner.py sweep --resume {folder.sweep_id} continues it",
        )
    if folder.worker_pid() is None:
        context = click.get_current_context()
        context.invoke(sweep, resume=folder.sweep_id, results_dir=folder.results_dir)
        return
    if sys.stdout.isatty():
        statuses.watch_status(folder)
        return
    while folder.worker_pid() is not None:
        time.sleep(LOOK_S)
    statuses.print_status(folder, warn=warn)


@click.command()
@named_argument(SweepName())
@results_dir_option
def cancel(*, name: str, results_dir: Path | None) -> None:
    """Stop a sweep cleanly, on any engine. Finished work is kept, and --resume continues it."""
    from results.errors import UsageError
    from results.store.sweep_folder import SweepFolder
    from runner.display import Lines
    from sweeps.without_coordinator import cancel_attempts, is_out

    folder = SweepFolder.find(results_dir or default_results_dir(), name)
    pid = folder.worker_pid()
    if pid is None and not is_out(folder):
        raise UsageError(
            f"the sweep {folder.sweep_id} is not running",
            hint=f"see `bench_runner.py status {folder.sweep_id}`; `sweep --resume {folder.sweep_id}` continues it",
        )
    if pid is not None:
        _end(folder, pid)
    if is_out(folder):  # nobody coordinates it, or it was killed while it cleaned up
        with folder.claim():
            cancel_attempts(folder, folder.read(), Lines())
    say(f"cancelled; continue with: bench_runner.py sweep --resume {folder.sweep_id}")


def _end(folder: SweepFolder, pid: int) -> None:
    """Stop the process that works on a sweep, and wait for its end."""
    from results.errors import ResultsError

    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + CANCEL_S
    while folder.worker_pid() == pid:
        if time.monotonic() > deadline:
            raise ResultsError(
                f"process {pid} has not ended after {CANCEL_S:.0f} s", hint=f"kill -9 {pid} is safe"
            )
        time.sleep(0.1)
