"""`run`: one benchmark on one model."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from commands.gate import find_baseline, gate_exit_code, gate_options
from commands.options import RunName, notify_option, price_option, results_dir_option
from commands.reuse import reusable_run, reuse_option
from commands.running.standing_by import standing_by
from commands.setting_options import RunCommand, asked_by_options, setting_options
from commands.usage.examples import RUN_EXAMPLES
from results.folders import default_results_dir
from results.views.terminal import say, warn

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path


@click.command(cls=RunCommand, epilog=RUN_EXAMPLES)
@setting_options(several=False)
@click.option(
    "--resume",
    metavar="RUN",
    type=RunName(),
    help="Continue an earlier run (such as: last); only missing answers are asked for.",
)
@click.option("--label", metavar="LABEL", help="Give the run a label, by which every command then knows it.")
@reuse_option
@gate_options
@notify_option
@price_option
@click.option("--json", "as_json", is_flag=True, help="Print only the record, as in the run log.")
@results_dir_option
@click.argument("server_args", nargs=-1, type=click.UNPROCESSED, metavar="[-- SERVER ARGS...]")
@click.pass_obj
def run(
    held: Callable[[], AbstractContextManager[None]],
    /,
    *,
    as_json: bool,
    results_dir: Path | None,
    resume: str | None,
    label: str | None,
    reuse: bool,
    gate: str | None,
    margin: float | None,
    notify: str | None,
    price_per_kwh: float | None,
    **options: Any,
) -> None:
    """Run one benchmark on one model: launch the server, log the score, stop the server.

    Everything after -- is passed to the server unchanged.
    """
    from commands.running.sharded_run import run_once
    from results.errors import UsageError
    from runner.notification import notifying, read_notify
    from runner.request import build_spec

    tell = read_notify(notify)
    if reuse and label and not resume:
        raise UsageError(
            "--reuse can't be combined with --label", hint="a reused run keeps its label; see `label --help`"
        )
    spec = build_spec(asked_by_options(options))
    from results.records import encode_record
    from runner.display import display_for_stderr

    results_dir = results_dir or default_results_dir()
    if label is not None:
        from results.store.remarks import label_of_new_run

        label = label_of_new_run(results_dir, label, resume=resume)
    baseline = find_baseline(results_dir, gate, margin, spec)
    with notifying(tell, warn=warn) as ended:
        finished = reusable_run(spec, results_dir) if reuse and not resume else None
        if finished is None:
            display = display_for_stderr()
            try:
                finished = run_once(
                    spec, results_dir, display, held, resume=resume, label=label or "", standby=standing_by()
                )
            finally:
                display.close()
        ended.run_id, ended.status = finished.folder.run_id, str(finished.record.status)
        ended.score = finished.record.results.score
    if as_json:
        click.echo(encode_record(finished.record))
        for warning in finished.record.score.warnings if finished.record.score else ():
            warn(warning)
    elif finished.error is None:
        from results.views.run_text import print_summary

        print_summary(finished.record, finished.folder.path, price_per_kwh=price_per_kwh)
    if finished.error is not None:
        say(f"partial results: {finished.folder.path}", err=True)
        raise finished.error
    if baseline is not None:
        sys.exit(gate_exit_code(baseline, finished.folder, margin, quiet=as_json))
