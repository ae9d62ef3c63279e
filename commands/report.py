"""`report`: a sweep's results as Markdown and as an HTML page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from commands.options import SweepName, UserPath, results_dir_option
from results.files import user_path
from results.store.run_folder import default_results_dir
from results.views.terminal import say, warn

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = """
\b
Examples:
  bench_runner.py report last
  bench_runner.py report 20261121T0346 --output ~/reports --csv runs.csv
"""


@click.command(epilog=EXAMPLES)
@click.argument("name", metavar="SWEEP", type=SweepName())
@click.option(
    "--output",
    type=UserPath(file_okay=False),
    help="The folder for report.md and report.html.  [default: the sweep's own]",
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
@results_dir_option
def report(
    name: str,
    *,
    output: Path | None,
    csv_file: str | None,
    parquet_file: Path | None,
    results_dir: Path | None,
) -> None:
    """Write a report of a sweep.

    The sweep is named by its id or a unique beginning of it, last, last~N, or words that fit only one sweep. Writes
    Markdown and a self-contained HTML page: the best and what may be as good, the table, score against memory, speed
    and energy, telemetry over time, what failed and why. The sweep may still be running.
    """
    from results.durable import explained, replace_file
    from results.store.sweep_folder import SweepFolder
    from results.views.export import csv_text, require_parquet, write_csv, write_parquet
    from results.views.report_markdown import markdown
    from results.views.report_page import page
    from results.views.sweep_report import make_report

    if parquet_file is not None:
        require_parquet()
    folder = SweepFolder.find(results_dir or default_results_dir(), name)
    found = make_report(folder, warn=warn)
    output = output or folder.path
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
    for table, sentences in zip(found.tables, found.conclusions, strict=True):
        say(table.title, bold=True)
        for sentence in sentences:
            say(f"  {sentence}")
    say(output / "report.md")
    say(output / "report.html")
