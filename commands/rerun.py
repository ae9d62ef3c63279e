"""`rerun`: repeat a recorded run and compare the two."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from commands.options import ModelName, RunName, named_argument, results_dir_option
from results.folders import default_results_dir
from settings.sampling_settings import SANDBOX_LEVELS

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path


@click.command()
@named_argument(RunName())
@click.option("--model", type=ModelName(), metavar="M", help="The model's new path, if it has moved.")
@click.option("--sandbox", metavar="|".join(SANDBOX_LEVELS), help="Use a different sandbox than the run did.")
@results_dir_option
@click.pass_obj
def rerun(
    held: Callable[[], AbstractContextManager[None]],
    /,
    *,
    name: str,
    model: str | None,
    sandbox: str | None,
    results_dir: Path | None,
) -> None:
    """Repeat a run from its record.

    The run is named by its id or a unique beginning of it, its label, last, last~N, or words that fit only one.

    Shows what differs now (the model's file, the server's build, the driver, versions), and compares the two.
    """
    from results.compare.comparability import what_differs
    from results.compare.comparison import compare_runs
    from results.compare.divergence_pair import are_of_kld, compare_divergences
    from results.errors import BenchError
    from results.store.run_folder import RunFolder
    from results.store.runs import Runs
    from results.views.comparison_text import NAME_WIDTH, print_comparison
    from results.views.divergence_text import print_divergences
    from results.views.run_text import print_summary
    from results.views.terminal import Fact, say, say_facts
    from runner.display import display_for_stderr
    from runner.request import build_spec
    from runner.rerun import asked_again
    from runner.run import run as run_once

    results_dir = results_dir or default_results_dir()
    before = RunFolder.find(results_dir, name)
    recorded = before.read_record()
    asked = asked_again(recorded, model=model, sandbox=sandbox)
    spec = build_spec(asked)
    display = display_for_stderr()
    try:
        finished = run_once(spec, Runs(results_dir, display.say), display, held)
    finally:
        display.close()
    print_summary(finished.record, finished.folder.path)
    say()
    if finished.error is None:
        try:
            if are_of_kld(before, finished.folder):
                print_divergences(compare_divergences(before, finished.folder))
            else:
                print_comparison(compare_runs(before, finished.folder))  # also shows what differs
        except BenchError as error:  # no samples, as in a speed benchmark, or the first run failed
            say_facts([Fact("not compared", error.message)], width=NAME_WIDTH)
        else:
            return
    differences = what_differs(recorded, finished.record)
    say_facts((Fact("what differs", str(difference)) for difference in differences), width=NAME_WIDTH)
    if finished.error is not None:
        raise finished.error
