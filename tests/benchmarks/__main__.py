"""All benchmarks in one table: `python -m tests.benchmarks [--only NAME]... [--repeats N] [--json]`, or `make bench`.

Each row is printed as soon as it is measured. Exits with 1 when a bound is not kept, and with 130 or 143 when a signal
stops it. A benchmark that fails says so in its row, and the others go on.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import sys
from typing import TYPE_CHECKING

from processes.signals import Interruptions
from results.errors import Interrupted
from tests.benchmarks.rows import HEADING, Row, as_json, as_text

if TYPE_CHECKING:
    from collections.abc import Iterator

OWN_REPEATS = ("log", "sandbox", "index", "engines")  # these know how many they need
BENCHMARKS = (
    "help",
    "script_start",
    "log",
    "readiness",
    "sandbox",
    "own_cost",
    "real_server",
    "speed",
    "sweep",
    "models",
    "telemetry",
    "race",
    "statistics",
    "efficiency",
    "choice",
    "watch",
    "certify",
    "optimisers",
    "rate_limits",
    "worker",
    "api",
    "serve",
    "pages",
    "gpu",
    "queue",
    "index",
    "engines",
)


def rows_of(name: str, repeats: int | None) -> Iterator[Row]:
    """As they are measured. A benchmark that can't be run, or fails on the way, adds a row that says why."""
    print(f"{name} ...", file=sys.stderr)
    if importlib.util.find_spec(f"tests.benchmarks.bench_{name}") is None:
        yield Row(name, None, "", None, "there is no such benchmark yet")
        return
    try:
        module = importlib.import_module(f"tests.benchmarks.bench_{name}")
        taken = {} if repeats is None or name in OWN_REPEATS else {"repeats": repeats}
        yield from module.measure(**taken)
    except Interrupted:
        raise
    except Exception as error:  # noqa: BLE001 - the other benchmarks go on
        yield Row(name, None, "", None, f"FAILED: {type(error).__name__}: {error}".replace("\n", " | "))


def measured(names: list[str], repeats: int | None, *, in_json: bool) -> bool:
    """Print what they measure. Whether all bounds are kept."""
    kept = True
    if not in_json:
        print(HEADING, flush=True)
    for name in names:
        for row in rows_of(name, repeats):
            if sys.stderr.isatty():
                print(end="\x1b[K", file=sys.stderr, flush=True)  # over what a benchmark said of its progress
            print(as_json(name, row) if in_json else as_text(row), flush=True)
            kept = kept and row.kept
    return kept


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=BENCHMARKS, metavar="NAME", help=", ".join(BENCHMARKS)
    )
    parser.add_argument(
        "--repeats", type=int, metavar="N", help="of each, log and sandbox excepted (default: 5 or more)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a row")
    options = parser.parse_args()
    if options.repeats is not None and options.repeats < 1:
        parser.error("--repeats must be at least 1")
    # As users have it: pip compiled the modules of all peers, and Python ours at their first import.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    try:
        with Interruptions():
            return (
                0 if measured(options.only or list(BENCHMARKS), options.repeats, in_json=options.json) else 1
            )
    except Interrupted as error:
        print(f"{error.message}; the rows above are complete", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
