"""HumanEval against any OpenAI-compatible server: `python -m scripts.run_human_eval --help`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from results.leaving import leave
from scripts.arguments import parse
from scripts.program import run_program

if TYPE_CHECKING:
    from scripts.arguments import Arguments
    from scripts.events import Events

_ABOUT = (
    "HumanEval: 164 Python functions, written by a model, judged by unit tests in a sandbox. Prints pass@k."
)


def _read_arguments() -> Arguments:
    return parse(sys.argv[1:], benchmark="human_eval", about=_ABOUT)


async def _main(arguments: Arguments, events: Events) -> None:
    from sandbox.opening import OpeningSandbox

    with OpeningSandbox(arguments.sandbox) as opening:  # while the rest is imported
        from evaluation.benchmarks.human_eval import task as human_eval
        from scripts.benchmark_program import BenchmarkProgram
        from scripts.session import run_benchmark

        data = human_eval.load_data()
        benchmark = BenchmarkProgram(
            name=human_eval.NAME,
            data_sha256=data.sha256,
            make_task=lambda style, grader: human_eval.HumanEvalTask(data, style=style, grader=grader),
            known_programs=lambda: human_eval.known_programs(data),
        )
        await run_benchmark(benchmark, arguments, events, opening=opening)


if __name__ == "__main__":
    leave(run_program(_read_arguments, _main))
