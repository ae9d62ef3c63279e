"""`delete`: remove runs for good."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from commands.options import RunName, results_dir_option
from results.errors import UsageError
from results.folders import default_results_dir
from results.views.terminal import print_table, say, size_text, warn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from results.store.run_folder import RunFolder

EXAMPLES = """
\b
Examples:
  bench_runner.py delete last
  bench_runner.py delete 20261121T0346 'Q2_K human_eval'
  bench_runner.py delete '*Q2_K*' --yes
"""


@click.command(epilog=EXAMPLES)
@click.argument("names", metavar="RUN...", nargs=-1, required=True, type=RunName(several=True))
@click.option("--yes", is_flag=True, help="Don't ask.")
@results_dir_option
def delete(*, names: tuple[str, ...], yes: bool, results_dir: Path | None) -> None:
    """Delete runs: their folders with every answer, and their lines in the run log. It can't be undone.

    Each RUN is a name (in quotes if it has several words) or a pattern of ids, labels or models. The runs are listed
    before you are asked. Runs in progress are refused. `archive` only puts runs away.
    """
    from commands.run_choice import find_runs
    from results.store.removal import require_deletable

    results_dir = results_dir or default_results_dir()
    folders = find_runs(results_dir, names)
    require_deletable(folders)
    delete_listed(results_dir, folders, yes=yes, what="delete them with --yes, or use archive")


def delete_listed(results_dir: Path, folders: Sequence[RunFolder], *, yes: bool, what: str) -> None:
    """List the runs, ask unless `yes`, and delete them. what: a hint where nobody can be asked.

    Raises UsageError if nobody can be asked, and ResultsError.
    """
    from results.store.removal import delete_runs

    total = print_runs(folders)
    count = f"{len(folders)} run{'s' * (len(folders) != 1)}"
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(f"nobody can be asked whether to delete {count}", hint=what)
        if not click.confirm(f"Delete {count} ({size_text(total)}) for good?", err=True):
            say("nothing was deleted", err=True)
            return
    freed = delete_runs(results_dir, folders, warn=warn)
    say(f"deleted {count}, freed {size_text(freed)}")


def print_runs(folders: Sequence[RunFolder]) -> int:
    """Print a line for each run, with its size; on a terminal with short ids. Returns their bytes on the disk."""
    from results.store.names import short_names
    from results.store.removal import disk_usage
    from results.store.run_folder import all_folders

    ids = [folder.run_id for folder in folders]
    shown = dict(zip(ids, ids, strict=True))
    if sys.stdout.isatty() and folders:
        shown = short_names(ids, (folder.run_id for folder in all_folders(folders[0].path.parent)))
    sizes = [disk_usage(folder.path) for folder in folders]
    lines = []
    for folder, size in zip(folders, sizes, strict=True):
        facts = folder.facts()
        model, benchmark = (*facts.texts, "", "")[:2]
        lines.append((shown[folder.run_id], benchmark, model, facts.label, size_text(size)))
    print_table(["run", "benchmark", "model", "label", "size"], lines, numbers=["size"])
    return sum(sizes)
