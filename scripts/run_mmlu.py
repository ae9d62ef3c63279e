"""MMLU against any OpenAI-compatible server: `python -m scripts.run_mmlu --help`."""

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

_ABOUT = (
    "MMLU: 14042 questions of 57 subjects with four choices, by log-probabilities where the server gives "
    "them, else by the letter of the answer. Executes no code."
)
_MAX_TOKENS = 2048  # one is enough for a letter; a model that thinks before takes a thousand and more


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--dataset",
        type=user_path,
        metavar="FILE",
        help=".jsonl, .parquet or .csv, or a folder of CSV files (default: from the Hugging Face Hub)",
    )
    add(
        "--few-shot",
        type=whole(0, 5),
        metavar="N",
        help="worked examples before each question, from the dev file beside the data set (default: 0; usual: 5)",
    )
    add(
        "--answer-by",
        choices=("auto", "letter"),
        default="auto",
        help="auto: the likeliest letter where the server and the model tell it by their first token, else a "
        "written answer; letter: written answers only (default: auto)",
    )
    add("--check", action="store_true", help="only check the data set and these options")


def _read_arguments() -> Arguments:
    return parse(
        sys.argv[1:],
        benchmark="mmlu",
        about=_ABOUT,
        add_options=_add_options,
        defaults={"max_tokens": _MAX_TOKENS},
    )


async def _main(arguments: Arguments, events: Events) -> None:
    from evaluation.benchmarks.mmlu import task as mmlu
    from scripts.benchmark_program import BenchmarkProgram, only_file
    from scripts.session import run_benchmark

    options = arguments.options
    few_shot = options["few_shot"] or 0
    by_letter = options["answer_by"] == "letter"
    data = mmlu.load_data(options["dataset"], few_shot=few_shot, by_letter=by_letter)
    if options["check"]:
        return
    benchmark = BenchmarkProgram(
        name=mmlu.NAME,
        data_sha256=data.questions.sha256,
        make_task=lambda style, _grader: mmlu.MmluTask(data, style=style),
        other_data=lambda path, split: (
            lambda style, _grader: mmlu.MmluTask(
                mmlu.load_data(only_file(path, split, mmlu.NAME), few_shot=few_shot, by_letter=by_letter),
                style=style,
            )
        ),
        options={"few_shot": few_shot, "answer_by": options["answer_by"]},
    )
    await run_benchmark(benchmark, arguments, events)


if __name__ == "__main__":
    leave(run_program(_read_arguments, _main))
