"""All benchmarks in one table: `python -m tests.benchmarks [--only NAME]... [--repeats N]`. `make bench` runs it.

Exits with 1 when a bound is not kept. A benchmark that fails says so in its row, and the others go on.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import sys
from typing import TYPE_CHECKING

from tests.benchmarks.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterable

OWN_REPEATS = ("log", "sandbox")  # these know how many they need
BENCHMARKS = (
    "help",
    "log",
    "readiness",
    "sandbox",
    "own_cost",
    "real_server",
    "speed",
    "sweep",
    "telemetry",
    "race",
    "gpu",
)
HEADINGS = ("benchmark", "ours", "reference", "ratio", "target", "", "what it is")


def rows_of(name: str, repeats: int | None) -> list[Row]:
    """A benchmark that can't be run is one row that says why."""
    print(name, file=sys.stderr)
    if importlib.util.find_spec(f"tests.benchmarks.bench_{name}") is None:
        return [Row(name, None, "", None, "there is no such benchmark yet")]
    try:
        module = importlib.import_module(f"tests.benchmarks.bench_{name}")
        taken = {} if repeats is None or name in OWN_REPEATS else {"repeats": repeats}
        return list(module.measure(**taken))
    except Exception as error:  # noqa: BLE001 - the other benchmarks go on
        return [Row(name, None, "", None, f"FAILED: {type(error).__name__}: {error}".replace("\n", " | "))]


def cells(row: Row) -> tuple[str, ...]:
    ratio = row.ratio if row.ratio is not None else (row.value if row.unit == "x" else None)
    unit = "" if ratio is not None else f" {row.unit}"
    if row.bound is None:
        verdict = ""
    elif row.judged is None:
        verdict = "?"
    else:
        verdict = "ok" if row.kept else "MISSED"
    return (
        row.name,
        "" if row.unit == "x" or row.value is None else f"{row.value:.4g} {row.unit}",
        "" if row.reference is None else f"{row.reference:.4g} {row.unit}",
        "" if ratio is None else f"{ratio:.3f}",
        ""
        if row.bound is None
        else f"<= {row.bound:g}{unit if row.ratio is None and row.unit != 's' else ''}",
        verdict,
        row.note,
    )


def table(rows: Iterable[Row]) -> str:
    lines = [HEADINGS, *map(cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=BENCHMARKS, metavar="NAME", help=", ".join(BENCHMARKS)
    )
    parser.add_argument(
        "--repeats", type=int, metavar="N", help="of each, log and sandbox excepted (default: 5 or more)"
    )
    options = parser.parse_args()
    if options.repeats is not None and options.repeats < 1:
        parser.error("--repeats must be at least 1")
    # As users have it: pip compiled the modules of all peers, and Python ours at their first import.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    rows = [row for name in options.only or BENCHMARKS for row in rows_of(name, options.repeats)]
    print(table(rows))
    return 0 if all(row.kept for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
