"""LiveCodeBench against any OpenAI-compatible server: `python -m scripts.run_lcb --help`."""

from __future__ import annotations

import argparse
import sys
from datetime import date
from typing import TYPE_CHECKING

from results.files import user_path
from results.leaving import leave
from scripts.arguments import parse
from scripts.program import run_program

if TYPE_CHECKING:
    from scripts.arguments import Arguments
    from scripts.events import Events

_ABOUT = (
    "LiveCodeBench, code generation: problems of programming contests, solved by a model in Python, judged by their "
    "public and private tests in a sandbox. Prints pass@k over all, by difficulty, by platform and by month."
)
# 2,000 tokens, the official runner's limit, cut the answers of models that explain what they do.
_DEFAULTS = {"max_tokens": 4096, "cpu_limit": 6.0}


def _read_arguments() -> Arguments:
    return parse(sys.argv[1:], benchmark="lcb", about=_ABOUT, add_options=_add_options, defaults=_DEFAULTS)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--release",
        metavar="R",
        help="release of the data on the Hugging Face Hub: release_v1 to release_v6 or newer, v6 for what the sixth "
        "added, v4_v6 (default: release_v6)",
    )
    parser.add_argument(
        "--dataset",
        type=user_path,
        metavar="FILE",
        help="a file of JSON lines as published by the project, instead of a release",
    )
    parser.add_argument(
        "--start-date", type=_day, metavar="YYYY-MM-DD", help="only problems of contests from this day on"
    )
    parser.add_argument("--end-date", type=_day, metavar="YYYY-MM-DD", help="and up to this day, inclusive")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day such as 2024-08-31") from None


async def _main(arguments: Arguments, events: Events) -> None:
    from evaluation.benchmarks.lcb import task as lcb
    from evaluation.benchmarks.lcb.data import load_data
    from evaluation.benchmarks.lcb.releases import DEFAULT_RELEASE, fetch_release
    from results.errors import UsageError
    from scripts.benchmark_program import BenchmarkProgram
    from scripts.session import run_benchmark

    options = arguments.options
    release, file, start, end = (options[name] for name in ("release", "dataset", "start_date", "end_date"))
    if release and file:
        raise UsageError(
            "--release and --dataset exclude each other",
            hint="a file is always used whole",
            settings=("release", "dataset"),
        )
    if start and end and start > end:
        raise UsageError(
            f"--start-date {start} is after --end-date {end}",
            hint="exchange them",
            settings=("start_date", "end_date"),
        )
    data = load_data([file] if file else fetch_release(release or DEFAULT_RELEASE), start=start, end=end)
    benchmark = BenchmarkProgram(
        name=lcb.NAME,
        data_sha256=data.sha256,
        make_task=lambda style, grader: lcb.LcbTask(data, style=style, grader=grader),
        known_programs=lcb.known_solutions,
        options={"start_date": str(start) if start else None, "end_date": str(end) if end else None},
        details=lcb.other_verdicts,
    )
    await run_benchmark(benchmark, arguments, events)


if __name__ == "__main__":
    leave(run_program(_read_arguments, _main))
