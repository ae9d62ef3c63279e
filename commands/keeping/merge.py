"""`merge`: take over runs from another machine, or from an archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from commands.options import UserPath, results_dir_option
from results.folders import default_results_dir
from results.views.terminal import say, warn

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = """
\b
Examples:
  bench_runner.py merge /mnt/other-machine/benchmark_results
  bench_runner.py merge from-anna.zip
  bench_runner.py merge ../old/20261121T034600Z-human_eval-Big-Q8_0-0086
"""


@click.command(epilog=EXAMPLES)
@click.argument("sources", metavar="DIR|FILE...", nargs=-1, required=True, type=UserPath())
@click.option("--quiet", is_flag=True, help="Print no line per run.")
@results_dir_option
def merge(*, sources: tuple[Path, ...], quiet: bool, results_dir: Path | None) -> None:
    """Take over runs: those of a results folder, of single run folders, or of an archive made by export.

    Runs that are here already are left out. A run whose id is that of another run here gets a new id. If anything is
    damaged, unsafe, still running or newer than this program, nothing is taken, and you learn what it is.
    """
    from results.store.merging import merge as take_over

    results_dir = results_dir or default_results_dir()
    merged = take_over(results_dir, sources, warn=warn)
    for run_id in () if quiet else merged.taken:
        other = merged.new_ids.get(run_id)
        say(f"{run_id}{f' was {other}, which is another run here' if other else ''}")
    for run_id, label in merged.unlabelled.items():
        say(f"{run_id} has lost its label {label!r}, which a run here has", err=True)
    taken = f"took {len(merged.taken)} run{'s' * (len(merged.taken) != 1)}"
    if merged.sweeps:
        taken += f" and {len(merged.sweeps)} sweep{'s' * (len(merged.sweeps) != 1)}"
    say(taken + (f"; {len(merged.same)} here already" if merged.same else ""))
