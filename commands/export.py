"""`export`: runs as a table of single completions, or as one file for somebody else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.options import RunName, results_dir_option
from results.errors import UsageError
from results.files import user_path
from results.store.run_folder import default_results_dir
from results.views.terminal import say, warn

if TYPE_CHECKING:
    from results.records import RunRecord
    from results.store.run_folder import RunFolder

    Run = tuple[RunFolder, RunRecord]

EXAMPLES = """
\b
Examples:
  bench_runner.py export --per-sample samples.parquet
  bench_runner.py export Q8_0 Q4_K_M --per-sample samples.csv
  bench_runner.py export baseline --per-sample - | head
"""


@click.command(epilog=EXAMPLES)
@click.argument("names", metavar="[RUN...]", nargs=-1, type=RunName(several=True))
@click.option(
    "--per-sample",
    "samples_file",
    metavar="FILE",
    help="Write one row per completion, as FILE.csv or FILE.parquet; - is CSV on stdout.",
)
@results_dir_option
def export(*, names: tuple[str, ...], samples_file: str | None, results_dir: Path | None) -> None:
    """Write runs for other programs.

    Each RUN is a name (in quotes if it has several words) or a pattern of ids, labels or models. Without any, all runs
    that succeeded and are not archived.
    """
    from results.views.export import require_parquet

    if samples_file is None:
        raise UsageError("nothing to export", hint="give --per-sample FILE")
    suffix = ".csv" if samples_file == "-" else Path(samples_file).suffix.lower()
    if suffix not in {".csv", ".parquet"}:
        raise UsageError(f"--per-sample {samples_file}: its name must end in .csv or .parquet")
    if suffix == ".parquet":
        require_parquet()
    _write_samples(samples_file, suffix, _chosen(results_dir or default_results_dir(), names))


def _chosen(results_dir: Path, names: tuple[str, ...]) -> list[Run]:
    """The runs, oldest first. Raises UsageError if there are none."""
    from commands.run_choice import find_runs
    from results.records import RunStatus
    from results.store.run_folder import all_records

    if names:
        return [(folder, folder.read_record()) for folder in find_runs(results_dir, names)]
    runs = [
        (folder, record)
        for folder, record in all_records(results_dir, warn=warn)
        if record.status is RunStatus.SUCCEEDED and not record.remarks.archived
    ]
    if not runs:
        raise UsageError(f"no run has succeeded in {results_dir}", hint="name runs, or use --results-dir")
    return runs


def _write_samples(file: str, suffix: str, runs: list[Run]) -> None:
    from results.views.samples import write_samples_csv, write_samples_parquet

    for folder, _ in runs:
        if not folder.completions.exists():
            warn(f"{folder.run_id} has no completions, so it has no rows")
    if file == "-":
        click.echo(write_samples_csv(None, runs), nl=False)
        return
    path = user_path(file)
    if suffix == ".csv":
        write_samples_csv(path, runs)
    else:
        write_samples_parquet(path, runs)
    say(f"{path}: the completions of {len(runs)} run{'s' * (len(runs) != 1)}")
