"""`show`: one run, or a sweep, wherever its runs are."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import click

from commands.options import RunName, named_argument, price_option, results_dir_option
from results.folders import default_results_dir
from results.views.terminal import say, warn

if TYPE_CHECKING:
    from pathlib import Path

    from results.store.run_folder import RunFolder
    from results.store.sweep_folder import SweepFolder


@click.command()
@named_argument(RunName())
@click.option(
    "--detailed", is_flag=True, help="Also its machine, and what it measured; for a sweep, each attempt."
)
@click.option("--watch", is_flag=True, help="Update it every second, until it ends.")
@click.option(
    "--raw", is_flag=True, help="Print the script's output, piped byte for byte; for a sweep, all as JSON."
)
@click.option("--json", "as_json", is_flag=True, help="Print the record as it is on disk; for a sweep, all.")
@click.option("--plot", "as_plot", is_flag=True, help="Plot its telemetry, as a picture and a web page.")
@price_option
@results_dir_option
def show(
    *,
    name: str,
    detailed: bool,
    watch: bool,
    raw: bool,
    as_json: bool,
    as_plot: bool,
    price_per_kwh: float | None,
    results_dir: Path | None,
) -> None:
    """Show one run, named by its id or a unique beginning of it, its label, last, last~N, or words that fit only one.

    A sweep is named in the same way; where a name fits both, it is the run. Runs that an engine has on a machine now
    are shown as far as they are.
    """
    from results.store.sweep_folder import SweepFolder

    found = find_anywhere(results_dir or default_results_dir(), name)
    watches = watch and sys.stdout.isatty()
    if isinstance(found, SweepFolder):
        _show_sweep(found, detailed=detailed, watches=watches, raw=raw or as_json, as_plot=as_plot)
        return
    if watches:
        from sweeps.status import watch_run

        watch_run(found)
    _show_run(found, raw=raw, as_json=as_json, as_plot=as_plot, price_per_kwh=price_per_kwh)
    if detailed:
        from sweeps.status_details import print_run_details

        print_run_details(found)


def find_anywhere(results_dir: Path, name: str, *, alone: bool = False) -> SweepFolder | RunFolder:
    """The run or the sweep of that name, also a run that an engine has on a machine now. alone: the name of one is
    rather a sweep.

    Raises UsageError, ResultsError.
    """
    from commands.options import find_sweep_or_run
    from results.errors import UsageError
    from results.store.run_folder import RunFolder
    from results.store.sweep_folder import SweepFolder
    from sweeps.whereabouts import away, find_away

    found: SweepFolder | RunFolder
    try:
        found = find_sweep_or_run(results_dir, name) if alone else RunFolder.find(results_dir, name)
    except UsageError as error:
        for find in (SweepFolder.find, lambda folder, name: find_away(folder, name).run):
            with contextlib.suppress(UsageError):
                return find(results_dir, name)
        raise error from None
    newer = away(found) if isinstance(found, RunFolder) else None
    return newer.run if newer is not None else found


def _show_sweep(folder: SweepFolder, *, detailed: bool, watches: bool, raw: bool, as_plot: bool) -> None:
    from results.errors import UsageError
    from sweeps import status, status_details

    if as_plot:
        raise UsageError(
            "--plot is for a single run",
            hint=f"bench_runner.py report {folder.sweep_id} has plots of a sweep",
        )
    if raw:
        click.echo(status_details.to_json(folder, warn=warn), nl=False)
        return
    if watches:
        status.watch_status(folder)
    else:
        status.print_status(folder, warn=warn)
    if detailed:
        status_details.print_details(folder, warn=warn)


def _show_run(
    folder: RunFolder, *, raw: bool, as_json: bool, as_plot: bool, price_per_kwh: float | None
) -> None:
    from results.errors import UsageError
    from results.views.run_text import print_raw, print_summary
    from sweeps.whereabouts import away

    if raw:
        print_raw(folder.script_out)
    elif as_json:
        click.echo(record_text(folder).rstrip())
    elif as_plot:
        if away(folder) is not None:
            raise UsageError(
                f"{folder.run_id} is on another machine now", hint="--plot draws it once it has ended"
            )
        from telemetry.plot import device_names, plot

        for path in plot(folder.path, device_names(folder.read_record().telemetry)):
            say(path)
    else:
        print_summary(folder.read_record(), folder.path, price_per_kwh=price_per_kwh)


def record_text(folder: RunFolder) -> bytes:
    """The record as it is on disk; that of a run on another machine, who may write anything there, as it is read."""
    from results.durable import explained
    from results.files import read_file
    from results.records import encode_record
    from sweeps.whereabouts import away

    if away(folder) is not None:
        return encode_record(folder.read_record())
    with explained("read", folder.run_json):
        return read_file(folder.run_json)
