"""`rejudge`: a recorded run's verdicts again, without asking a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from commands.options import RunName, named_argument, results_dir_option
from results.folders import default_results_dir
from settings.sampling_settings import SANDBOX_LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

_SHOWN = 50  # flips; --json has all


@click.command()
@named_argument(RunName())
@click.option("--sandbox", type=click.Choice(SANDBOX_LEVELS), help="Use another sandbox than the run did.")
@click.option("--json", "as_json", is_flag=True, help="Print the new record and every flip as JSON.")
@results_dir_option
@click.pass_obj
def rejudge(
    held: Callable[[], AbstractContextManager[None]],
    /,
    *,
    name: str,
    sandbox: str | None,
    as_json: bool,
    results_dir: Path | None,
) -> None:
    """Judge a run's answers again under today's rules, without a model. The result is a new run.

    The run is named by its id or a unique beginning of it, its label, last, last~N, or words that fit only one. Says
    which verdicts changed, and why. A rejudgement that was cut off is continued.
    """
    from results.compare.flipped_verdicts import flipped_verdicts
    from results.json_text import encode
    from results.store.run_folder import RunFolder
    from results.store.runs import Runs
    from results.views.flips_text import print_flips
    from results.views.run_text import print_summary
    from results.views.terminal import say
    from runner.display import display_for_stderr
    from runner.rejudge import rejudge as judge_again

    results_dir = results_dir or default_results_dir()
    display = display_for_stderr()
    try:
        finished = judge_again(name, Runs(results_dir, display.say), display, held, sandbox=sandbox)
    finally:
        display.close()
    if finished.error is not None:
        say(f"partial results: {finished.folder.path}", err=True)
        raise finished.error
    parent = RunFolder.find(results_dir, finished.record.rejudged_from)
    flips = flipped_verdicts(parent, finished.folder)
    if as_json:
        click.echo(encode({"record": finished.record, "flips": flips}))
        return
    print_summary(finished.record, finished.folder.path)
    say()
    print_flips(flips, parent.read_record(), finished.record, at_most=_SHOWN)
