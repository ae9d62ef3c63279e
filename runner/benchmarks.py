"""The benchmarks there are: a script, and the parsers that read what it and its like print."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from results.errors import UsageError


@dataclass(frozen=True)
class Benchmark:
    """module: our script. parser: reads our script's output; foreign_parser: that of somebody else's script."""

    name: str
    module: str
    parser: str
    foreign_parser: str
    about: str


BENCHMARKS = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark(
            name="human_eval",
            module="scripts.run_human_eval",
            parser="human_eval",
            foreign_parser="human_eval_cli",
            about="HumanEval: 164 Python functions to complete, judged by unit tests (pass@k)",
        ),
    )
}


def get_benchmark(name: str) -> Benchmark:
    """Raises UsageError for an unknown name, with the closest one."""
    try:
        return BENCHMARKS[name]
    except KeyError:
        known = ", ".join(sorted(BENCHMARKS))
        close = difflib.get_close_matches(name.lower().replace("-", "_"), BENCHMARKS, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}? " if close else ""
        raise UsageError(f"there is no benchmark {name!r}", hint=f"{hint}known: {known}") from None
