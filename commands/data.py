"""`data`: fetch the data sets of benchmarks and suites, once, and list them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from results.views.terminal import print_table, say, size_text

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).resolve().parent.parent
HEADER = ("suite", "task", "data set", "config", "split", "size", "commit", "sha256")
EXAMPLES = """
\b
Examples:
  bench_runner.py data list
  bench_runner.py data fetch gsm8k mmlu
  bench_runner.py data fetch gsm8k --json | jq -r '.paths[]'
  HF_HUB_OFFLINE=1 bench_runner.py run --benchmark gsm8k --model some.gguf
"""


@click.group(epilog=EXAMPLES)
def data() -> None:
    """Fetch the data sets of benchmarks and suites, and list them.

    The first fetch pins a data set: its commit and the sha256 of its files are remembered, and checked at each use.
    """


@data.command(short_help="Fetch data sets, so that runs need no network.", epilog=EXAMPLES)
@click.argument("names", nargs=-1, required=True, metavar="SUITE...")
@click.option("--renew", is_flag=True, help="Forget the pinned commit: take the newest, and pin that.")
@click.option("--json", "as_json", is_flag=True, help="Print each data set as one line of JSON.")
def fetch(*, names: tuple[str, ...], renew: bool, as_json: bool) -> None:
    """Fetch the data of SUITEs (also names of benchmarks) from the Hugging Face Hub, and check what is here already.

    Without a network, the error names what to download, and where to put it.
    """
    _told("fetch", names, ["--renew"] if renew else [], as_json=as_json)


@data.command("list", short_help="List the data sets, and which of them are here.", epilog=EXAMPLES)
@click.argument("names", nargs=-1, metavar="[SUITE]...")
@click.option("--json", "as_json", is_flag=True, help="Print each data set as one line of JSON.")
def list_data(*, names: tuple[str, ...], as_json: bool) -> None:
    """List the data sets of all benchmarks and suites, or of SUITEs: which are here, and what is pinned.

    Nothing is fetched.
    """
    _told("list", names, [], as_json=as_json)


def _told(action: str, names: Sequence[str], options: Sequence[str], *, as_json: bool) -> None:
    """Run the script side's program and print what it finds. Exits with its code."""
    # Data sets belong to the script side, another process. `-P` and the path avoid a `scripts` in the user's folder.
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "scripts.data_sets", *options, "--", action, *names],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as program:
        rows = []
        try:
            for line in program.stdout or ():
                if as_json:
                    click.echo(line.rstrip("\n"))
                else:
                    rows.append(_row(json.loads(line)))
        except BaseException:  # an interruption: the program may wait for a hub that does not answer
            program.kill()
            raise
    if rows:
        print_table(HEADER, rows, optional=("sha256", "commit", "config", "task"), all_shown_by="--json")
        if action == "list" and any(row[5] == "not here" for row in rows):
            say("data fetch SUITE fetches what is not here", err=True, dim=True)
    sys.exit(program.returncode)


def _row(found: dict[str, Any]) -> tuple[str, ...]:
    files = found["files"] or ()
    size = size_text(sum(file["size_bytes"] for file in files)) if files else "here"
    return (
        found["suite"],
        found["task"],
        found["repository"],
        found["config"],
        found["split"] or ", ".join(found["names"]),
        size if found["here"] else "not here",
        (found["commit"] or "")[:12],
        ", ".join(file["sha256"][:12] for file in files),
    )
