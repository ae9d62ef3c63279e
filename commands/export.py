"""`export`: runs as a table of single completions, as one file for somebody else, or as a site to publish."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.options import RunName, results_dir_option
from results.errors import UsageError
from results.files import user_path
from results.folders import default_results_dir
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
  bench_runner.py export baseline last --archive for-anna.zip
  bench_runner.py export --site public
"""


@click.command(epilog=EXAMPLES)
@click.argument("names", metavar="[RUN...]", nargs=-1, type=RunName(several=True))
@click.option(
    "--per-sample",
    "samples_file",
    metavar="FILE",
    help="Write one row per completion, as FILE.csv or FILE.parquet; - is CSV on stdout.",
)
@click.option(
    "--archive",
    "archive_file",
    metavar="FILE.zip",
    help="Write one file for somebody else: records, completions and a report; merge takes it apart.",
)
@click.option(
    "--site",
    "site_folder",
    metavar="FOLDER",
    help="Write the leaderboard, runs and samples as a site of files, to be published.  [needs the extra serve]",
)
@results_dir_option
def export(
    *,
    names: tuple[str, ...],
    samples_file: str | None,
    archive_file: str | None,
    site_folder: str | None,
    results_dir: Path | None,
) -> None:
    """Write runs for other programs, or for somebody else.

    Each RUN is a name (in quotes if it has several words) or a pattern of ids, labels or models. Without any, all runs
    that succeeded and are not archived.
    """
    from commands.serving.options import require_extra
    from results.views.export import require_parquet

    if samples_file is None and archive_file is None and site_folder is None:
        raise UsageError(
            "nothing to export", hint="give --per-sample FILE, --archive FILE.zip or --site FOLDER"
        )
    suffix = ".csv" if samples_file == "-" else Path(samples_file or "").suffix.lower()
    if samples_file is not None and suffix not in {".csv", ".parquet"}:
        raise UsageError(
            f"--per-sample {samples_file}: its name must end in .csv or .parquet",
            hint=f"such as {Path(samples_file).stem}.csv",
        )
    if archive_file is not None and Path(archive_file).suffix.lower() != ".zip":
        raise UsageError(
            f"--archive {archive_file}: its name must end in .zip",
            hint=f"such as {Path(archive_file).stem}.zip",
        )
    if suffix == ".parquet":
        require_parquet()
    if site_folder is not None:
        require_extra()
        from web.site.site import require_place

        require_place(user_path(site_folder))
    runs = _chosen(results_dir or default_results_dir(), names)
    if archive_file is not None:
        _write_archive(user_path(archive_file), runs)
    if samples_file is not None:
        _write_samples(samples_file, suffix, runs)
    if site_folder is not None:
        _write_site(user_path(site_folder), runs)


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
        if record.status is RunStatus.SUCCEEDED
        and not (record.remarks.archived or record.is_shard or record.is_search)
    ]
    if not runs:
        raise UsageError(f"no run has succeeded in {results_dir}", hint="name runs, or use --results-dir")
    return runs


def _write_archive(path: Path, runs: list[Run]) -> None:
    import datetime as dt

    from results import __version__
    from results.errors import ResultsError
    from results.records import RunStatus
    from results.store.archive_file import write_archive
    from results.views.report.contents import runs_report
    from results.views.report.markdown import markdown
    from results.views.report.page import page
    from results.views.terminal import size_text

    for folder, record in runs:
        if folder.effective_status(record) is RunStatus.STARTED:
            raise ResultsError(f"{folder.run_id} is still running", hint="wait until it ends")
    report = runs_report(runs, warn=warn)
    count = f"{len(runs)} run{'s' * (len(runs) != 1)}"
    pages = {
        "README.txt": _README.format(count=count, version=__version__),
        "report.html": page(report),
        "report.md": markdown(report),
    }
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    hidden = write_archive(path, [folder for folder, _ in runs], pages, created=now, harness=__version__)
    say(f"{path}: {count} with a report, {size_text(path.stat().st_size)}")
    if hidden:
        warn(f"{hidden} keys or passwords in it were replaced by ***")


def _write_site(place: Path, runs: list[Run]) -> None:
    from rich.console import Console

    from results.errors import ResultsError
    from results.records import RunStatus
    from results.views.terminal import size_text
    from web.site.site import write_site

    for folder, record in runs:
        if folder.effective_status(record) is RunStatus.STARTED:
            raise ResultsError(f"{folder.run_id} is still running", hint="wait until it ends")
    with Console(stderr=True).status("writing pages") as shown:  # on a terminal only

        def progress(done: int, known: int) -> None:
            shown.update(f"writing pages: {done} of {known} known so far")

        written = write_site([folder for folder, _ in runs], place, progress=progress)
    count = f"{len(runs)} run{'s' * (len(runs) != 1)}"
    say(
        f"{place}: {count} on {written.pages} pages, {size_text(written.size_bytes)}; open {place}/index.html"
    )
    if written.hidden:
        warn(f"{written.hidden} keys or passwords in it were replaced by ***")


_README = """\
{count}, exported by bench-runner {version}.

report.html   open this in a browser; it needs no network
report.md     the same as text
runs/         each run: its record, every answer with its verdict, its settings and measurements

To compare them with your own runs:   bench_runner.py merge THIS-FILE.zip
"""


def _write_samples(file: str, suffix: str, runs: list[Run]) -> None:
    from results.views.samples import samples_csv_text, write_samples_csv, write_samples_parquet

    for folder, _ in runs:
        if not folder.completions.exists():
            warn(f"{folder.run_id} has no completions, so it has no rows")
    if file == "-":
        click.echo(samples_csv_text(runs), nl=False)
        return
    path = user_path(file)
    if suffix == ".csv":
        write_samples_csv(path, runs)
    else:
        write_samples_parquet(path, runs)
    say(f"{path}: the completions of {len(runs)} run{'s' * (len(runs) != 1)}")
