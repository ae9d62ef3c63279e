"""The benchmarks there are: a script, and the parsers that read what it and its like print."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from results.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Option:
    """An option of `run` that is handed on to the scripts which know it; two benchmarks may share one.

    name: without the dashes. metavar: as in --help. is_path: of a file that must exist; the script gets it absolute.
    """

    name: str
    metavar: str
    help: str
    is_path: bool = False

    @property
    def key(self) -> str:
        """Its name in a manifest and in a record."""
        return self.name.replace("-", "_")


DATASET = Option(
    name="dataset", metavar="FILE", help="The data set as a file, instead of fetching it.", is_path=True
)


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """module: our script. parser: reads our script's output; foreign_parser: that of somebody else's script.

    options: those that only this and some others have.
    """

    name: str
    module: str
    parser: str = "summary"
    foreign_parser: str = "human_eval_cli"
    about: str
    options: tuple[Option, ...] = ()


BENCHMARKS = {
    benchmark.name: benchmark
    for benchmark in (
        Benchmark(
            name="human_eval",
            module="scripts.run_human_eval",
            about="HumanEval: 164 Python functions to complete, judged by unit tests (pass@k)",
        ),
    )
}


def all_options() -> dict[str, tuple[Option, tuple[str, ...]]]:
    """Every benchmark's own options by key, each with the names of the benchmarks that know it."""
    found: dict[str, tuple[Option, tuple[str, ...]]] = {}
    for benchmark in BENCHMARKS.values():
        for option in benchmark.options:
            found[option.key] = (option, (*found.get(option.key, (option, ()))[1], benchmark.name))
    return found


def get_benchmark(name: str) -> Benchmark:
    """Raises UsageError for an unknown name, with the closest one."""
    try:
        return BENCHMARKS[name]
    except KeyError:
        known = ", ".join(sorted(BENCHMARKS))
        close = difflib.get_close_matches(name.lower().replace("-", "_"), BENCHMARKS, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}? " if close else ""
        raise UsageError(f"there is no benchmark {name!r}", hint=f"{hint}known: {known}") from None
