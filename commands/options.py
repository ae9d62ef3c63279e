"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from results.files import user_path


class UserPath(click.Path):
    """A path from the user, read by `results.files.user_path`."""

    def __init__(self, **facts: Any) -> None:
        super().__init__(path_type=Path, **facts)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return super().convert(user_path(value), param, ctx)


results_dir_option = click.option(
    "--results-dir",
    type=UserPath(file_okay=False),
    help="Where runs are kept.  [default: $BENCH_RESULTS_DIR or ./benchmark_results]",
)
