"""The gate of `run --gate BASELINE`: what is refused before the run, and the verdict after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from commands.options import Margin, RunName
from results.errors import NotComparable, UsageError
from settings.setting import Determines, Section
from settings.table import TABLE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from results.store.run_folder import RunFolder
    from runner.spec import RunSpec


def gate_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --gate and --margin, passed as `gate` and `margin`."""
    margin = click.option(
        "--margin",
        metavar="POINTS",
        type=Margin(),
        help="With --gate: exit with 8 unless it is shown to lose less than that.",
    )
    gate = click.option(
        "--gate",
        metavar="RUN",
        type=RunName(),
        help="Compare with that run, and exit with 8 if this one is shown to be worse.",
    )
    return gate(margin(command))


def find_baseline(
    results_dir: Path, gate: str | None, margin: float | None, spec: RunSpec
) -> RunFolder | None:
    """The run to compare with, if one is asked for. Refuses, before anything starts, what can't be compared later.

    Raises UsageError, NotComparable, ResultsError.
    """
    from results.records import RunStatus
    from results.store.run_folder import RunFolder

    if gate is None:
        if margin is not None:
            raise UsageError("--margin needs a run to compare with", hint="add --gate RUN")
        return None
    folder = RunFolder.find(results_dir, gate)
    record = folder.read_record()
    if folder.effective_status(record) is not RunStatus.SUCCEEDED:
        raise NotComparable(
            f"the baseline {folder.run_id} did not finish", hint="name another run; see `list`"
        )
    if record.benchmark != spec.benchmark.name:
        raise NotComparable(
            f"the baseline {folder.run_id} is a run of {record.benchmark}, this one of {spec.benchmark.name}",
            hint=f"run the baseline again with --benchmark {spec.benchmark.name}",
        )
    if not folder.completions.exists():
        raise NotComparable(
            f"the baseline {folder.run_id} has no verdict per sample", hint="a benchmark of speed has none"
        )
    asked = spec.config()
    for name, setting in TABLE.items():
        decides = setting.determines is Determines.RESULT and setting.section is Section.SAMPLING
        if decides and setting.is_numeric and asked.get(name) != record.config.get(name):
            known = record.config.get(name)
            raise NotComparable(
                f"this run can't be compared with the baseline {folder.run_id}: "
                f"{name} is {_shown(asked.get(name))} here and {_shown(known)} there",
                hint=f"give {setting.option} {known}" if known is not None else f"leave {setting.option} out",
            )
    return folder


def gate_exit_code(baseline: RunFolder, run: RunFolder, margin: float | None, *, quiet: bool) -> int:
    """Compare the run with the baseline, print the comparison and the verdict, and return the exit code: 0 or 8.

    quiet: only the verdict, on stderr. Raises ResultsError.
    """
    from results.compare.comparison import compare_runs
    from results.compare.gate import GATE_FAILED, judge
    from results.views.comparison_text import print_comparison, print_gate
    from results.views.terminal import say

    comparison = compare_runs(baseline, run)
    verdict = judge(comparison, margin)
    if not quiet:
        say()
        print_comparison(comparison)
    print_gate(verdict, err=quiet)
    return 0 if verdict.passed else GATE_FAILED


def _shown(value: object) -> str:
    return "not set" if value is None else str(value)
