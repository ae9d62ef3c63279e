"""`run --reuse`: show a finished run that the new one would only repeat, instead of running it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from results.views.terminal import say, warn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runner.run import FinishedRun
    from runner.spec import RunSpec


def reuse_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --reuse, passed as `reuse`."""
    return click.option(
        "--reuse", is_flag=True, help="Run nothing if a finished run has the same settings; show that one."
    )(command)


def reusable_run(spec: RunSpec, results_dir: Path) -> FinishedRun | None:
    """The finished run that this one would repeat, after saying so; None if there is none. Raises ResultsError."""
    from results.store.runs import Runs
    from runner.display import display_for_stderr
    from runner.fingerprint import fingerprint
    from runner.reuse import FinishedRuns
    from runner.run import FinishedRun
    from runner.scoring.asked import ScoringAsked
    from runner.scoring.rescore import score_reused

    found = FinishedRuns(results_dir, warn=warn).find(spec, lambda: fingerprint(spec), alone=True)
    if found is None:
        return None
    folder, record = found
    say(f"reused: run {folder.run_id} of {record.timestamp[:10]}; without --reuse it runs anew", err=True)
    if ScoringAsked.of(spec.asked) is not None:
        display = display_for_stderr()
        try:
            record = score_reused(spec, record, Runs(results_dir, display.say), display)
        finally:
            display.close()
    return FinishedRun(record, folder, None)
