"""`rescore`: a recorded run's composite score, under other weights, rules or baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from commands.options import RunName, named_argument, results_dir_option
from commands.setting_options import SettingText
from results.errors import BenchError, Interrupted, UsageError
from results.files import user_path
from results.folders import default_results_dir
from settings.sampling_settings import SANDBOX_LEVELS
from settings.scoring.options import SCORING_SETTINGS
from settings.values import read_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from runner.scoring.asked import ScoringAsked

EXAMPLES = """
\b
Examples:
  bench_runner.py rescore last --speed-baseline baseline
  bench_runner.py rescore last --weights correctness=50,quality=50
  bench_runner.py rescore '*Q4_K_M*' --speed-baseline baseline
  bench_runner.py rescore last --scorer mine.py --weights correctness=60,mine=40
"""
_ROWS = {setting.name: setting for setting in SCORING_SETTINGS}


def _option(name: str) -> Callable[..., object]:
    row = _ROWS[name]
    said = row.help.replace("; implies --scoring", "").replace(" implies --scoring.", "")
    kind = RunName() if row.metavar == "RUN" else SettingText(row)
    return click.option(row.option, name, type=kind, metavar=row.metavar, help=said)


@click.command(epilog=EXAMPLES)
@named_argument(RunName())
@_option("weights")
@_option("speed_baseline")
@_option("speed_target_s")
@_option("scorer")
@click.option("--sandbox", type=click.Choice(SANDBOX_LEVELS), help="Use another sandbox than the run did.")
@click.option("--json", "as_json", is_flag=True, help="Print each new record as a line of JSON.")
@results_dir_option
@click.pass_obj
def rescore(
    held: Callable[[], AbstractContextManager[None]],
    /,
    *,
    name: str,
    sandbox: str | None,
    as_json: bool,
    results_dir: Path | None,
    **given: str | None,
) -> None:
    """Compute a run's composite score again, under other weights, rules or baselines; or for the first time.

    The run is named by its id or a unique beginning of it, its label, last, last~N, or words that fit only one; a
    pattern of ids, labels or models (in quotes) names all that it fits. No model is asked, the score stays, and only
    what the new rules change is measured. What is not given is as it was before.
    """
    from commands.run_choice import find_runs
    from results.json_text import encode
    from results.store.runs import Runs
    from results.views.run_text import print_summary
    from runner.display import display_for_stderr
    from runner.scoring.rescore import rescore as score_again

    asked = _asked(given)
    results_dir = results_dir or default_results_dir()
    folders = find_runs(results_dir, [name])
    refused: BenchError | None = None
    scored = 0
    for folder in folders:
        display = display_for_stderr()
        try:
            runs = Runs(results_dir, display.say)
            done = score_again(folder.run_id, runs, display, held, asked=asked, sandbox=sandbox)
        except BenchError as error:
            if len(folders) == 1:
                raise
            refused = refused or error
            display.say(f"note: {error.message}")
            continue
        except Interrupted as stopped:
            stopped.hint = stopped.hint or "run the same command again: what is measured is kept"
            raise
        finally:
            display.close()
        scored += 1
        if as_json:
            click.echo(encode(done.record))
        else:
            print_summary(done.record, done.folder.path)
    if refused is not None and not scored:
        raise refused


def _asked(given: Mapping[str, str | None]) -> ScoringAsked:
    """What is asked for; the file of a scorer is looked for here. Raises UsageError."""
    from runner.scoring.asked import ScoringAsked

    values: dict[str, Any] = {}
    for name, text in given.items():
        try:
            values[name] = read_value(_ROWS[name], text, variables=False)
        except UsageError as error:
            raise UsageError(
                f"{_ROWS[name].option}: {error.message}", hint=error.hint, settings=(name,)
            ) from None
    if values["scorer"] is not None:
        values["scorer"] = str(user_path(values["scorer"]).absolute())
    return ScoringAsked.of(values) or ScoringAsked()
