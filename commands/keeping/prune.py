"""`prune`: delete old runs by a rule, and empty the cache."""

from __future__ import annotations

import datetime as dt
import shutil
import time
from typing import TYPE_CHECKING

import click

from commands.options import results_dir_option
from results.errors import UsageError
from results.folders import default_results_dir
from results.views.terminal import print_table, say, size_text, warn

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = """
\b
Examples:
  bench_runner.py prune --older-than 30d
  bench_runner.py prune --keep last=50 --keep labelled --older-than 30d --yes
  bench_runner.py prune --keep newest
  bench_runner.py prune --caches
"""
_FETCHING_S = 86_400
_KEPT_IN_CACHE = {".lock"}  # suffixes: others may hold them


@click.command(epilog=EXAMPLES)
@click.option(
    "--keep",
    multiple=True,
    metavar="RULE",
    help="Keep these: last=N (the newest N), labelled, newest (of each configuration); may be repeated.",
)
@click.option("--older-than", metavar="TIME", help="Only older runs: 30d, 12h, 2026-11-21.")
@click.option("--caches", is_flag=True, help="Also empty the cache, whose files are fetched or made again.")
@click.option("--yes", is_flag=True, help="Do it; without this, only show what would be deleted.")
@results_dir_option
def prune(
    *, keep: tuple[str, ...], older_than: str | None, caches: bool, yes: bool, results_dir: Path | None
) -> None:
    """Delete old runs for good, all but those that a rule keeps. Shows what would go; --yes does it.

    A run is deleted if no --keep rule names it and it is older than --older-than. Labelled runs are always kept, and so
    are runs in progress. `delete` removes single runs, labelled ones too.
    """
    from results.compare.run_choice import parse_since

    if not keep and older_than is None and not caches:
        raise UsageError(
            "nothing says what to prune", hint="give --keep last=50, --older-than 30d or --caches"
        )
    if keep or older_than is not None:
        since = parse_since(older_than, dt.datetime.now(dt.UTC), "--older-than") if older_than else None
        _prune_runs(results_dir or default_results_dir(), keep, since, yes=yes)
    if caches:
        _prune_caches(yes=yes)


def _prune_runs(results_dir: Path, keep: tuple[str, ...], since: dt.datetime | None, *, yes: bool) -> None:
    from commands.keeping.delete import print_runs
    from results.compare.pruning import keep_rules, runs_to_prune
    from results.store.removal import delete_runs

    found = runs_to_prune(results_dir, keep_rules(keep, since), warn=warn)
    kept = ", ".join(f"{count} {why}" for why, count in found.kept.items())
    if found.delete:
        total = print_runs(found.delete)
    if kept:
        say(f"kept: {kept}", err=True)
    count = f"{len(found.delete)} run{'s' * (len(found.delete) != 1)}"
    if not found.delete:
        say("no run to delete")
    elif yes:
        freed = delete_runs(results_dir, found.delete, warn=warn)
        say(f"deleted {count}, freed {size_text(freed)}")
    else:
        say(f"would delete {count} and free {size_text(total)}; to do it, add --yes")


def _prune_caches(*, yes: bool) -> None:
    from results.durable import explained
    from results.folders import cache_folder
    from results.store.removal import disk_usage

    folder = cache_folder()
    entries = _cached(folder)
    sizes = [disk_usage(path) if path.is_dir() else path.lstat().st_blocks * 512 for path in entries]
    if not entries:
        say(f"the cache is empty: {folder}")
        return
    lines = [(str(path), size_text(size)) for path, size in zip(entries, sizes, strict=True)]
    print_table(["cached", "size"], lines, numbers=["size"])
    if not yes:
        say(f"would free {size_text(sum(sizes))} of the cache; to do it, add --yes")
        return
    with explained("empty the cache", folder):
        for path in entries:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    say(f"freed {size_text(sum(sizes))} of the cache")


def _cached(folder: Path) -> list[Path]:
    """What is in the cache: the files and folders of its folders, and its own files. Raises ResultsError.

    Locks, what is being fetched right now, and answers that were paid for (see `cache clear`) are left out.
    """
    from results.durable import explained
    from results.response_store import store_path

    found: list[Path] = []
    with explained("read", folder):
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path == store_path().parent:
                continue
            inside = sorted(path.iterdir()) if path.is_dir() and not path.is_symlink() else [path]
            found += [each for each in inside if each.suffix not in _KEPT_IN_CACHE and not _is_new(each)]
    return found


def _is_new(path: Path) -> bool:
    """Whether it is a hidden file or folder of a fetch that may still be going on."""
    return path.name.startswith(".") and time.time() - path.lstat().st_mtime < _FETCHING_S
