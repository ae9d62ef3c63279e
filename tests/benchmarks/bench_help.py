"""How long a user waits for `--help`, over what the option parser itself takes to import."""

from __future__ import annotations

import sys

from tests.benchmarks.programs import BENCH_RUNNER
from tests.benchmarks.rows import Row, compare
from tests.benchmarks.timing import interleaved, timed

REPEATS = 15
BOUND = 2.5


def measure(repeats: int = REPEATS) -> list[Row]:
    found = interleaved(
        repeats,
        {
            "--help": lambda: 1000 * timed([BENCH_RUNNER, "--help"])[0],
            "import click": lambda: 1000 * timed([sys.executable, "-c", "import click"])[0],
        },
    )
    return [compare("--help / import click", found["--help"], found["import click"], unit="ms", bound=BOUND)]
