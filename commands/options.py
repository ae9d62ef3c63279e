"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path

import click

results_dir_option = click.option(
    "--results-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where runs are kept.  [default: $BENCH_RESULTS_DIR or ./benchmark_results]",
)
