"""GSM8K against any OpenAI-compatible server: `python -m scripts.run_gsm8k --help`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from results.files import user_path
from results.leaving import leave
from scripts.arguments import parse, whole
from scripts.program import run_program

if TYPE_CHECKING:
    import argparse

    from scripts.arguments import Arguments
    from scripts.events import Events

_ABOUT = "GSM8K: 1319 grade-school word problems, judged by the exact number. Executes no code."
_MAX_TOKENS = 2048  # solutions take 100 to 300; a model that thinks before takes a thousand and more


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--dataset",
        type=user_path,
        metavar="FILE",
        help=".jsonl or .parquet (default: from the Hugging Face Hub)",
    )
    add(
        "--few-shot",
        type=whole(0, 8),
        metavar="N",
        help="worked examples before each question (default: 0 in chat style, 8 in completion style)",
    )
    add("--check", action="store_true", help="only check the data set and these options")


def _read_arguments() -> Arguments:
    return parse(
        sys.argv[1:],
        benchmark="gsm8k",
        about=_ABOUT,
        add_options=_add_options,
        defaults={"max_tokens": _MAX_TOKENS},
    )


async def _main(arguments: Arguments, events: Events) -> None:
    from evaluation.benchmarks.gsm8k import task as gsm8k
    from scripts.benchmark_program import BenchmarkProgram
    from scripts.session import run_benchmark

    data = gsm8k.load_data(arguments.options["dataset"])
    if arguments.options["check"]:
        return
    few_shot = arguments.options["few_shot"]
    benchmark = BenchmarkProgram(
        name=gsm8k.NAME,
        data_sha256=data.sha256,
        make_task=lambda style, _grader: gsm8k.Gsm8kTask(data, style=style, few_shot=few_shot),
        other_data=lambda path, split: (
            lambda style, _grader: gsm8k.Gsm8kTask(
                gsm8k.load_data(path, split=split or "test"), style=style, few_shot=few_shot
            )
        ),
        style_options=lambda style: {"few_shot": gsm8k.resolved_few_shot(few_shot, style)},
    )
    await run_benchmark(benchmark, arguments, events)


if __name__ == "__main__":
    leave(run_program(_read_arguments, _main))
