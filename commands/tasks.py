"""`tasks validate`: check a file of tasks before running it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from commands.options import UserPath

EXAMPLES = """
\b
Examples:
  bench_runner.py tasks validate mine.yaml
  bench_runner.py tasks validate mine.yaml --coverage
"""
ROOT = Path(__file__).resolve().parent.parent


@click.group()
def tasks() -> None:
    """Work with your own coding tasks, for `run --benchmark tasks --tasks FILE`."""


@tasks.command(short_help="Check a file, and that its reference solutions pass.", epilog=EXAMPLES)
@click.argument("file", type=UserPath())
@click.option(
    "--coverage", is_flag=True, help="Also tell which lines of the reference solutions no test case executes."
)
def validate(file: Path, coverage: bool) -> None:
    """Check FILE (YAML or JSON): its structure, and that its reference solutions pass.

    Each error names file, line and field. Solutions are executed in the sandbox.
    """
    # The sandbox belongs to the script side, another process. `-P` and the path avoid a `scripts` in the user's folder.
    done = subprocess.run(
        [
            sys.executable,
            "-P",
            "-m",
            "scripts.validate_tasks",
            str(file),
            *(["--coverage"] if coverage else []),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    sys.exit(done.returncode)
