"""`report`: the results of a sweep, or of any runs, as Markdown and as an HTML page."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import click

from commands.options import SweepOrRunName, UserPath, find_sweep_or_run, price_option, results_dir_option
from results.files import user_path
from results.folders import default_results_dir
from results.views.terminal import say, warn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from results.compare.run_choice import Choice
    from results.records import RunRecord
    from results.store.run_folder import RunFolder
    from results.store.run_store import RunStore
    from results.views.report.contents import Report

EXAMPLES = """
\b
Examples:
  bench_runner.py report last
  bench_runner.py report --benchmark human_eval --since 7d
  bench_runner.py report Q8_0 Q4_K_M --output ~/reports
  bench_runner.py report 20261121T0346 --output ~/reports --csv runs.csv
"""


@click.command(epilog=EXAMPLES)
@click.argument("names", metavar="[SWEEP|RUN...]", nargs=-1, type=SweepOrRunName())
@click.option(
    "--benchmark", "benchmarks", multiple=True, metavar="NAME", help="Only this benchmark; may be repeated."
)
@click.option(
    "--model", default="", metavar="PATTERN", help="Part of the model's name, or a pattern such as '*Q4*'."
)
@click.option("--since", metavar="TIME", help="Only newer runs: 2026-11-21, 12h, 7d.")
@click.option("--all", "every", is_flag=True, help="Also older runs of the same configuration.")
@click.option(
    "--output",
    type=UserPath(file_okay=False),
    help="The folder for report.md and report.html.  [default: that of the sweep or the only run, else where runs "
    "are kept]",
)
@click.option(
    "--csv", "csv_file", metavar="FILE", help="Also write the table as CSV, one row per run; - is stdout."
)
@click.option(
    "--parquet",
    "parquet_file",
    type=UserPath(dir_okay=False),
    help="Also write the table as Parquet.  [needs the extra parquet]",
)
@price_option
@results_dir_option
def report(
    names: tuple[str, ...],
    *,
    benchmarks: tuple[str, ...],
    model: str,
    since: str | None,
    every: bool,
    output: Path | None,
    csv_file: str | None,
    parquet_file: Path | None,
    price_per_kwh: float | None,
    results_dir: Path | None,
) -> None:
    """Write a report of a sweep, or of any runs.

    Each is named by its id or a unique beginning of it, last, last~N, or words that fit only one (in quotes). Without
    a name, the newest run of each configuration, as in leaderboard. Writes Markdown and a self-contained HTML page:
    which one to take and why, the table, score against memory, speed and energy, every problem with the answers, what
    searches for a better prompt found, what failed and why. A sweep may still be running.
    """
    from results.durable import explained, replace_file
    from results.errors import UsageError
    from results.store.reading.fresh import fresh_index
    from results.views.export import csv_text, require_parquet, write_csv, write_parquet
    from results.views.report.markdown import markdown
    from results.views.report.page import page

    if parquet_file is not None:
        require_parquet()
    if names and (benchmarks or model or since or every):
        raise UsageError(
            "names can't be combined with --benchmark, --model, --since or --all",
            hint="name the runs, or choose them with the options",
        )
    results_dir = results_dir or default_results_dir()
    with fresh_index(results_dir) as store:
        if names:
            found, folder = _of_names(results_dir, names, price_per_kwh, store)
        else:
            choice = _choice(benchmarks, model, since, every=every)
            found, folder = _chosen(results_dir, choice, price_per_kwh, store), results_dir
    output = output or folder
    with explained("write the report into", output):
        output.mkdir(parents=True, exist_ok=True)
        for file, text in (("report.md", markdown(found)), ("report.html", page(found))):
            replace_file(output / file, text.encode())
    if parquet_file is not None:
        write_parquet(parquet_file, found.tables)
    if csv_file == "-":
        click.echo(csv_text(found.tables), nl=False)
        return
    if csv_file is not None:
        write_csv(user_path(csv_file), found.tables)
    if found.choice is not None:
        say("recommendation", bold=True)
        say(f"  {found.choice.head}.", fg="green" if found.choice.kind == "pick" else None)
    for table, verdict, sentences in zip(found.tables, found.verdicts, found.conclusions, strict=True):
        say(table.title, bold=True)
        for sentence in verdict.sentences:
            say(f"  {sentence}", fg="green" if verdict.kind == "pick" else None)
        for sentence in sentences:
            say(f"  {sentence}")
    for search in found.searches:
        say(search.name, bold=True)
        say(f"  {search.says}", fg="green" if search.shown else None)
    if found.left_out:
        say(f"left out: {found.left_out_text}", err=True)
    say(output / "report.md")
    say(output / "report.html")


def _of_names(
    results_dir: Path, names: Sequence[str], price_per_kwh: float | None, store: RunStore | None
) -> tuple[Report, Path]:
    """The report of what is named, and the folder that it goes to. Raises UsageError, ResultsError."""
    from results.records import RunStatus
    from results.store.sweep_folder import SweepFolder
    from results.views.report.contents import runs_report, sweep_report

    named = [find_sweep_or_run(results_dir, name, alone=len(names) == 1) for name in names]
    if len(named) == 1 and isinstance(named[0], SweepFolder):
        return sweep_report(named[0], warn=warn, price_per_kwh=price_per_kwh, store=store), named[0].path
    runs: dict[str, tuple[RunFolder, RunRecord]] = {}
    for each in named:
        if isinstance(each, SweepFolder):
            there = [found for _, found in each.planned(warn=warn) if found is not None]
            runs |= {record.run_id: (run, record) for run, record in there}
        else:
            runs[each.run_id] = (each, each.read_record())
    of_runs = runs_report([*runs.values()], warn=warn, price_per_kwh=price_per_kwh, store=store)
    if len(runs) == 1:
        ((run, record),) = runs.values()
        if run.effective_status(record) is not RunStatus.STARTED:
            return of_runs, run.path
    return of_runs, results_dir


def _choice(benchmarks: tuple[str, ...], model: str, since: str | None, *, every: bool) -> Choice:
    from results.compare.run_choice import Choice, parse_since

    return Choice(
        benchmarks=benchmarks,
        model=model,
        since=parse_since(since, dt.datetime.now(dt.UTC)) if since else None,
        every=every,
        searches=True,
    )


def _chosen(results_dir: Path, choice: Choice, price_per_kwh: float | None, store: RunStore | None) -> Report:
    """The report of the runs that the options choose. Raises UsageError if there are none."""
    from results.compare.run_choice import choose_runs
    from results.errors import UsageError
    from results.views.report.contents import runs_report

    chosen = choose_runs(results_dir, choice, warn=warn)
    if not chosen.runs:
        raise UsageError(
            f"no such run has succeeded in {results_dir}",
            hint="`bench_runner.py leaderboard --status any` shows the others; --results-dir names another folder",
        )
    return runs_report(
        chosen.runs, warn=warn, left_out=chosen.left_out, price_per_kwh=price_per_kwh, store=store
    )
