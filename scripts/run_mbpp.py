"""MBPP against any OpenAI-compatible server: `python -m scripts.run_mbpp --help`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from results.files import user_path
from results.leaving import leave
from scripts.arguments import parse
from scripts.program import run_program

if TYPE_CHECKING:
    import argparse

    from scripts.arguments import Arguments
    from scripts.events import Events

_ABOUT = (
    "MBPP: the 500 short Python functions of the test split (257 of the sanitized set), written by a model, judged by "
    "their assertions in a sandbox. Prints pass@k."
)


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--dataset",
        type=user_path,
        metavar="FILE",
        help="mbpp.jsonl, sanitized-mbpp.json or .parquet (default: from the Hugging Face Hub)",
    )
    add("--mbpp-set", choices=("full", "sanitized"), help="which set is fetched (default: full)")
    add(
        "--mbpp-tests",
        choices=("given", "all"),
        default="given",
        help="all: the challenge tests, which few tasks have, must be passed too (default: given)",
    )
    add("--check", action="store_true", help="only check the data set and these options")


def _read_arguments() -> Arguments:
    return parse(sys.argv[1:], benchmark="mbpp", about=_ABOUT, add_options=_add_options)


async def _main(arguments: Arguments, events: Events) -> None:
    from evaluation.benchmarks.mbpp import task as mbpp
    from evaluation.benchmarks.mbpp.data import load_data
    from results.errors import UsageError
    from scripts.benchmark_program import BenchmarkProgram
    from scripts.session import run_benchmark

    options = arguments.options
    if options["dataset"] and options["mbpp_set"]:
        raise UsageError(
            "--mbpp-set and --dataset exclude each other",
            hint="a file is the set that it holds",
            settings=("mbpp_set", "dataset"),
        )
    data = load_data(
        options["dataset"], subset=options["mbpp_set"] or "full", challenge=options["mbpp_tests"] == "all"
    )
    if options["check"]:
        return
    benchmark = BenchmarkProgram(
        name=mbpp.NAME,
        data_sha256=data.sha256,
        make_task=lambda style, grader: mbpp.MbppTask(data, style=style, grader=grader),
        known_programs=mbpp.known_programs,
        options={"mbpp_tests": options["mbpp_tests"]},
    )
    await run_benchmark(benchmark, arguments, events)


if __name__ == "__main__":
    leave(run_program(_read_arguments, _main))
