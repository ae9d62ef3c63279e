"""`leaderboard`: compare runs side by side, and show which differences are real."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import click

from commands.options import SweepName, TagName, UserPath, price_option, results_dir_option
from results.files import user_path
from results.folders import default_results_dir
from results.store.run_folder import all_folders
from results.views.terminal import say, warn

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from results.compare.leaderboard import Table
    from results.compare.tag_ranks import TagRanks
    from results.store.run_store import RunStore
    from results.store.sweep_folder import SweepFolder

EXAMPLES = """
\b
Examples:
  bench_runner.py leaderboard
  bench_runner.py leaderboard --benchmark human_eval --group-by model
  bench_runner.py leaderboard --sweep last --sort tokens_per_s
  bench_runner.py leaderboard --since 7d --csv runs.csv
  bench_runner.py leaderboard --benchmark human_eval --sort composite
  bench_runner.py leaderboard --benchmark tasks --by difficulty --sort composite
"""


@click.command(epilog=EXAMPLES)
@click.option(
    "--benchmark", "benchmarks", multiple=True, metavar="NAME", help="Only this benchmark; may be repeated."
)
@click.option(
    "--model", default="", metavar="PATTERN", help="Part of the model's name, or a pattern such as '*Q4*'."
)
@click.option("--sweep", metavar="SWEEP", type=SweepName(), help="Only the runs of a sweep (such as: last).")
@click.option("--since", metavar="TIME", help="Only newer runs: 2026-11-21, 12h, 7d.")
@click.option(
    "--status",
    type=click.Choice(["succeeded", "failed", "interrupted", "running", "any"]),
    default="succeeded",
    show_default=True,
)
@click.option("--all", "every", is_flag=True, help="Also show older runs of the same configuration.")
@click.option("--archived", is_flag=True, help="Also show archived runs.")
@click.option(
    "--sort",
    "sort_by",
    type=click.Choice(["score", "composite", "tokens_per_s", "memory", "joules", "seconds", "cost"]),
    default="score",
    show_default=True,
)
@click.option(
    "--group-by",
    type=click.Choice(["model", "quantization"]),
    help="One table, with its own best, per model (all its quantisations) or per quantisation.",
)
@click.option(
    "--by",
    "tag",
    type=TagName(),
    metavar="TAG",
    help="Rank on each value of a tag of the problems, such as difficulty; with --sort composite, by composites.",
)
@click.option(
    "--csv", "csv_file", metavar="FILE", help="Write the table as CSV, one row per run; - is stdout."
)
@click.option(
    "--parquet",
    "parquet_file",
    type=UserPath(dir_okay=False),
    help="Write the table as Parquet.  [needs the extra parquet]",
)
@click.option("--wide", is_flag=True, help="Whole ids, all columns, and lines as long as they get.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print each row as one line of JSON, with CSV's columns."
)
@price_option
@results_dir_option
def leaderboard(
    *,
    benchmarks: tuple[str, ...],
    model: str,
    sweep: str | None,
    since: str | None,
    status: str,
    every: bool,
    archived: bool,
    sort_by: str,
    group_by: str | None,
    tag: str | None,
    csv_file: str | None,
    parquet_file: Path | None,
    wide: bool,
    as_json: bool,
    price_per_kwh: float | None,
    results_dir: Path | None,
) -> None:
    """Compare runs, the newest of each configuration: score, speed, memory, energy.

    Runs with comparable scores share a table. Each is tested against the best of its table, on the same samples. A run
    that is not distinguishable from the best may be just as good, whatever the order of the rows.
    """
    from results.compare.leaderboard import GroupBy, SortBy, make_tables
    from results.compare.run_choice import Choice, choose_runs, parse_since
    from results.errors import UsageError
    from results.json_text import encode
    from results.records import RunStatus
    from results.store.reading.fresh import fresh_index
    from results.store.sweep_folder import SweepFolder
    from results.views.export import csv_text, flat_rows, require_parquet, write_csv, write_parquet
    from results.views.leaderboard_text import print_tables

    if as_json and csv_file == "-":
        raise UsageError("--json can't be combined with --csv -", hint="give --csv the name of a file")
    if tag is not None and (csv_file is not None or parquet_file is not None):
        raise UsageError("--by can't be combined with --csv or --parquet", hint="take --json")
    if parquet_file is not None:
        require_parquet()
    results_dir = results_dir or default_results_dir()
    statuses = {"any": (), "running": (RunStatus.STARTED,)}
    choice = Choice(
        benchmarks=benchmarks,
        model=model,
        sweep_id=SweepFolder.find(results_dir, sweep).sweep_id if sweep else "",
        since=parse_since(since, dt.datetime.now(dt.UTC)) if since else None,
        statuses=statuses[status] if status in statuses else (RunStatus(status),),
        every=every,
        archived=archived,
    )
    chosen = choose_runs(results_dir, choice, warn=warn)
    with fresh_index(results_dir) as store:
        tables = make_tables(
            chosen.runs,
            warn=warn,
            group_by=GroupBy(group_by) if group_by else None,
            sort_by=SortBy(sort_by),
            price_per_kwh=price_per_kwh,
            store=store,
        )
        ranked = _ranked(tables, tag, store, results_dir) if tag is not None else []
    if parquet_file is not None:
        write_parquet(parquet_file, tables)
    if csv_file == "-":
        click.echo(csv_text(tables), nl=False)
    elif csv_file is not None:
        write_csv(user_path(csv_file), tables)
    if tag is not None:
        _print_ranked(ranked, sort_by, results_dir, as_json=as_json, wide=wide)
    elif as_json:
        for row in flat_rows(tables):
            click.echo(encode(row))
    elif csv_file is None and parquet_file is None:
        print_tables(tables, known=(folder.run_id for folder in all_folders(results_dir)), wide=wide)
    left_out = chosen.left_out | (_deleted(SweepFolder.find(results_dir, sweep)) if sweep else {})
    if left_out or not tables:
        others = ", ".join(f"{count} {_LEFT_OUT.get(why, why)}" for why, count in left_out.items())
        say(f"{'' if tables else 'no such runs; '}left out: {others or 'none'}", err=True)


def _ranked(
    tables: Sequence[Table], tag: str, store: RunStore | None, results_dir: Path
) -> list[tuple[Table, TagRanks]]:
    """The tables whose problems have the tag. Raises UsageError if none do."""
    from results.compare.tag_ranks import tag_ranks
    from results.errors import UsageError
    from results.store.reading.folder_run_store import FolderRunStore

    store = store or FolderRunStore(results_dir)
    there = {table.benchmark: store.tags(table.benchmark) for table in tables}
    if tables and not any(tag in tags for tags in there.values()):
        known = ", ".join(dict.fromkeys(name for tags in there.values() for name in tags))
        raise UsageError(
            f"no problem of these runs has the tag {tag!r}",
            hint=f"they have {known}" if known else "leave out --by: they have no tags",
        )
    return [
        (table, tag_ranks(table.rows, table.benchmark, tag, store))
        for table in tables
        if tag in there[table.benchmark]
    ]


def _print_ranked(
    ranked: Sequence[tuple[Table, TagRanks]], sort_by: str, results_dir: Path, *, as_json: bool, wide: bool
) -> None:
    from results.compare.leaderboard import SortBy
    from results.json_text import encode
    from results.views.by_tag.tag_ranks_text import plain_rows, print_rankings

    if as_json:
        for row in plain_rows(ranked):
            click.echo(encode(row))
        return
    known = (folder.run_id for folder in all_folders(results_dir))
    print_rankings(ranked, sort_by=SortBy(sort_by), known=known, wide=wide)


def _deleted(folder: SweepFolder) -> dict[str, int]:
    """How many runs of a sweep were deleted, if any."""
    gone = sum(found is None and folder.is_deleted(run) for run, found in folder.planned(warn=warn))
    return {"deleted": gone} if gone else {}


_LEFT_OUT = {
    "started": "running",
    "older": "older of the same configuration (see --all)",
    "archived": "archived (see --archived)",
    "shard": "shards of other runs",
    "search": "made by a search for a better prompt (see list)",
}
