"""Tool calling against any OpenAI-compatible server: `python -m scripts.run_tools --help`."""

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
    "Tool calling: which tools a model calls and with which arguments, when it calls none, and what it does with "
    "results and errors, by category. Executes nothing: what tools give is written in the scenarios."
)
_MAX_TOKENS = 2048  # of each turn; a call takes fifty, a model that thinks before a thousand and more


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--dataset",
        type=user_path,
        metavar="PATH",
        help="a YAML file of scenarios, or a file or folder of BFCL (default: our own scenarios)",
    )
    add("--check", action="store_true", help="only check the scenarios and these options")


def _read_arguments() -> Arguments:
    return parse(
        sys.argv[1:],
        benchmark="tools",
        about=_ABOUT,
        add_options=_add_options,
        defaults={"max_tokens": _MAX_TOKENS},
    )


async def _main(arguments: Arguments, events: Events) -> None:
    from evaluation.benchmarks.tools import task as tools
    from evaluation.protocols import PromptStyle
    from scripts.benchmark_program import BenchmarkProgram
    from scripts.session import run_benchmark

    data = tools.load_data(arguments.options["dataset"])
    if arguments.options["check"]:
        return
    task = tools.ToolTask(data.cases)
    benchmark = BenchmarkProgram(
        name=tools.NAME,
        data_sha256=data.sha256,
        make_task=lambda _style, _grader: task,
        style=PromptStyle.CHAT,
        details=tools.details,
    )
    await run_benchmark(benchmark, arguments, events)


if __name__ == "__main__":
    leave(run_program(_read_arguments, _main))
