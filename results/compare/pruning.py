"""Which runs a rule such as "the last fifty" lets go."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.compare.run_choice import Choice, choose_runs
from results.errors import ResultsError, UsageError
from results.store.removal import require_deletable
from results.store.run_folder import all_records
from results.store.watch_folder import all_watches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from results.store.run_folder import RunFolder


@dataclass(frozen=True)
class KeepRules:
    """What is kept: each run that one of the rules names. last: so many of the newest. newest: the newest run of each
    configuration, as in `leaderboard`. since: runs that began later. Labelled runs, the baselines of watches and the
    runs of each watch's last look are always kept.
    """

    last: int = 0
    newest: bool = False
    since: dt.datetime | None = None


@dataclass(frozen=True)
class Pruning:
    """The runs to delete, oldest first. kept: how many are kept, by reason."""

    delete: tuple[RunFolder, ...]
    kept: dict[str, int]


def keep_rules(keep: Iterable[str], since: dt.datetime | None) -> KeepRules:
    """The rules of --keep: last=N, labelled, newest. Raises UsageError."""
    last, newest = 0, False
    for rule in keep:
        name, _, value = rule.partition("=")
        if name == "last" and value.isascii() and value.isdigit():
            last = max(last, int(value))
        elif rule == "newest":
            newest = True
        elif rule != "labelled":
            raise UsageError(
                f"--keep {rule!r} is no rule", hint="one of last=N (such as last=50), labelled, newest"
            )
    return KeepRules(last=last, newest=newest, since=since)


def runs_to_prune(results_dir: Path, rules: KeepRules, *, warn: Callable[[str], None]) -> Pruning:
    """Apply the rules. Runs that are still running, or whose record can't be read, are kept. Raises ResultsError."""
    runs = all_records(results_dir, warn=warn)
    whole = [folder for folder, record in runs if not (record.is_shard and record.remarks.archived)]
    last = {folder.run_id for folder in whole[max(0, len(whole) - rules.last) :]}
    newest: set[str] = set()
    if rules.newest:
        chosen = choose_runs(results_dir, Choice(archived=True), warn=lambda _: None)
        newest = {folder.run_id for folder, _ in chosen.runs}
    watches = all_watches(results_dir)
    baselines = {run_id for watch in watches for run_id in watch.baseline}
    # Until the build changes, each look judges the same runs again. Earlier builds' looks are no longer needed.
    looked_at = {run_id for watch in watches for past in watch.looks[-1:] for run_id in past.runs}
    delete: list[RunFolder] = []
    kept: dict[str, int] = {}
    for folder, record in runs:
        why = ""
        if record.remarks.label:
            why = "labelled"
        elif folder.run_id in baselines:
            why = "baselines of watch-build"
        elif folder.run_id in looked_at:
            why = "in the last look of watch-build"
        elif folder.run_id in last:
            why = f"among the last {rules.last}"
        elif folder.run_id in newest:
            why = "newest of their configuration"
        elif rules.since is not None and dt.datetime.fromisoformat(record.timestamp) >= rules.since:
            why = "not that old"
        elif _is_busy(folder):
            why = "running, or of a running sweep"
        if why:
            kept[why] = kept.get(why, 0) + 1
        else:
            delete.append(folder)
    return Pruning(tuple(delete), kept)


def _is_busy(folder: RunFolder) -> bool:
    try:
        require_deletable([folder])
    except ResultsError:
        return True
    return False
