"""`index`: the index of the runs that `serve` reads them through, and the commands where it is there."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from commands.serving.options import read_config, require_extra, serve_options
from results.views.terminal import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import sqlalchemy

    from results.store.index.database import IndexDatabase

EXAMPLES = """
\b
Examples:
  bench_runner.py index rebuild
  bench_runner.py index check
  bench_runner.py index check --database postgresql://bench@db/bench
"""


@click.group(epilog=EXAMPLES)
def index() -> None:
    """Make the index of the runs anew, or compare it with their folders.

    `serve` makes and follows an index by itself. It is derived from the run folders and may be removed at any time.
    """


@index.command(short_help="Make the index anew from the run folders.", epilog=EXAMPLES)
@serve_options
def rebuild(**options: Any) -> None:
    """Make the index anew from the run folders; also the first time. A `serve` that runs goes on meanwhile."""
    from results.store.index.indexer import Indexer

    database = _database(options)
    try:
        with _told() as said:
            Indexer(database).rebuild(said=said)
        with database.engine.connect() as connection:
            runs, completions, skipped = _sizes(connection)
    finally:
        database.dispose()
    say(f"indexed {runs} runs with {completions} completions: {database.where}")
    for name, reason in skipped:
        say(f"left out: {name}: {reason}", err=True)


@index.command(short_help="Compare the index with the run folders.", epilog=EXAMPLES)
@serve_options
def check(**options: Any) -> None:
    """Bring the index up to date, read all run folders anew, and say where the two disagree. Exit code 6 if they do."""
    from results.errors import ResultsError
    from results.store.index.checking import Check, require_index
    from results.store.index.indexer import Indexer

    database = _database(options)
    try:
        require_index(database)
        if not database.check_whole():
            Indexer(database).refresh(within_s=None)
        with _told() as said:
            found = [*Check(database).disagreements(said)]
            if found and not database.check_whole():  # runs may have begun or ended meanwhile
                Indexer(database).refresh(within_s=None)
                again = {*Check(database).disagreements(said)}
                found = [each for each in found if each in again]
    finally:
        database.dispose()
    for name, how in found:
        say(f"{name}: {how}")
    if found:
        raise ResultsError(
            f"the index disagrees with the run folders in {len(found)} place{'s' * (len(found) != 1)}",
            hint="`bench_runner.py index rebuild` makes it anew",
        )
    say(f"the index agrees with the run folders: {database.where}")


def _database(options: dict[str, Any]) -> IndexDatabase:
    """Raises ResultsError if the extra is not installed."""
    require_extra()
    from results.store.index.database import IndexDatabase

    config = read_config(options)
    return IndexDatabase(config.results_dir, config.database_url)


def _sizes(connection: sqlalchemy.Connection) -> tuple[int, int, Sequence[tuple[str, str]]]:
    """How many runs and completions there are, and what was left out with the reasons."""
    import sqlalchemy as sa

    from results.store.index import schema

    runs, completions = (
        connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
        for table in (schema.runs, schema.samples)
    )
    skipped = connection.execute(sa.select(schema.skipped).order_by(schema.skipped.c.name))
    return runs, completions, [(row.name, row.reason) for row in skipped]


@contextmanager
def _told() -> Iterator[Callable[[int, int], None]]:
    """Tell on a terminal how far it is."""
    from rich.console import Console

    with Console(stderr=True).status("reading runs") as shown:
        yield lambda done, of: shown.update(f"{done} of {of} runs")
