"""What is printed at the end of a sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from results.store.run_folder import all_folders
from results.views.terminal import say, warn

if TYPE_CHECKING:
    from results.store.sweep_folder import SweepFolder
    from sweeps.sweep import SweepOutcome


def print_end(finished: SweepOutcome, *, as_json: bool, price_per_kwh: float | None) -> None:
    """Print the tables of what succeeded, what failed and why, and what to do next; or the records as JSON."""
    from results.compare.leaderboard import make_tables
    from results.records import RunStatus, encode_record
    from results.views.leaderboard_text import print_tables
    from results.views.searches.text import print_searches

    if as_json:
        for _, record in finished.runs:
            click.echo(encode_record(record))
        return
    whole = [run for run in finished.runs if not run[1].is_shard]
    plain = [run for run in whole if not run[1].is_search]
    if plain or not whole:
        succeeded = [run for run in plain if run[1].status is RunStatus.SUCCEEDED]
        print_tables(
            make_tables(succeeded, warn=warn, price_per_kwh=price_per_kwh),
            known=(run.run_id for run in all_folders(finished.folder.results_dir)),
        )
    print_searches(finished.runs)
    for record in finished.failed:
        label = record.sweep.label if record.sweep else record.run_id
        say(f"{record.status}: {label}: {record.error.message if record.error else ''}", err=True)
    for label in finished.missing:
        say(f"missing: {label}", err=True)
    if finished.failed:
        say(f"try: bench_runner.py sweep --retry-failed {finished.folder.sweep_id}", err=True)
    if whole or not finished.runs:
        say(f"more: bench_runner.py report {finished.folder.sweep_id}", err=True)


def highest_score(folder: SweepFolder) -> float | None:
    """In percent; None if no run has one."""
    found = [record for _, record in folder.runs(warn=lambda _: None).values() if not record.is_shard]
    return max((score for record in found if (score := record.results.score) is not None), default=None)
