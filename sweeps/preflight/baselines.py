"""Baselines of composite scores that a sweep names and that aren't there: its runs would have no speed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from engines.planned_run import PlannedRun


def baseline_warnings(runs: Sequence[PlannedRun], results_dir: Path) -> list[str]:
    """A sentence, without a full stop, for each baseline that can't be compared with. Raises ResultsError."""
    named = [run.spec.asked["speed_baseline"] for run in runs if run.spec is not None]
    names = [name for name in dict.fromkeys(named) if name]
    return [text for name in names if (text := _warning(name, results_dir, named.count(name)))]


def _warning(name: str, results_dir: Path, count: int) -> str:
    from results.store.runs import Runs
    from runner.scoring.baseline import find_baseline

    try:
        find_baseline(name, Runs(results_dir, lambda _: None))
    except UsageError as error:
        whose = "this run" if count == 1 else f"these {count} runs"
        return f"{error.message}, so the speed of {whose} will be unknown until `rescore` names a baseline"
    return ""
