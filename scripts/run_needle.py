"""Needles in long texts, against any OpenAI-compatible server: `python -m scripts.run_needle --help`."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from results.leaving import leave
from scripts.arguments import parse, whole
from scripts.program import run_program
from settings.needle_lengths import (
    DEPTHS,
    KINDS,
    LEAST_LENGTH,
    MOST_LENGTH,
    PER_CELL,
    ROOM_TOKENS,
)
from settings.speed_lengths import token_count

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from evaluation.protocols import Sample
    from scripts.arguments import Arguments
    from scripts.events import Events

_ABOUT = (
    "Needles in a haystack, after RULER: facts hidden in long texts are asked for, by kind, length and depth. All "
    "texts are made from the seed. Executes no code."
)


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--lengths",
        type=_list(_length),
        metavar="N,...",
        help="tokens of prompt and answer together, such as 4k,8k,32k (default: the powers of two from 1k to the "
        "context of a slot)",
    )
    add(
        "--depth-percent",
        type=_list(whole(0, 100)),
        default=DEPTHS,
        metavar="N,...",
        help=f"where in the text the needle is hidden (default: {','.join(map(str, DEPTHS))})",
    )
    add(
        "--kinds",
        type=_list(_kind),
        default=KINDS,
        metavar="KIND,...",
        help=f"kinds of needles (default: {','.join(KINDS)})",
    )
    add(
        "--per-cell",
        type=whole(1, 9999),
        default=PER_CELL,
        metavar="N",
        help=f"samples of each kind at each length and depth (default: {PER_CELL})",
    )
    add("--check", action="store_true", help="only check these options")


def _list(read: Callable[[str], Any]) -> Callable[[str], tuple[Any, ...]]:
    def read_all(text: str) -> tuple[Any, ...]:
        return tuple(dict.fromkeys(read(part.strip()) for part in text.split(",")))

    return read_all


def _length(text: str) -> int:
    try:
        tokens = token_count(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if not LEAST_LENGTH <= tokens <= MOST_LENGTH:
        raise argparse.ArgumentTypeError(
            f"{text} is not between {LEAST_LENGTH} and {MOST_LENGTH >> 10}k tokens"
        )
    return tokens


def _kind(text: str) -> str:
    if text not in KINDS:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(KINDS)}")
    return text


def read_arguments() -> Arguments:
    """Those of the command line. Raises UsageError."""
    return parse(
        sys.argv[1:],
        benchmark="needle",
        about=_ABOUT,
        add_options=_add_options,
        defaults={"max_tokens": ROOM_TOKENS},
    )


async def _main(arguments: Arguments, events: Events) -> None:
    options = arguments.options
    if options["check"]:
        return
    from evaluation.benchmarks.needle import task as needle
    from evaluation.benchmarks.needle.measured import MeasuredNeedles
    from evaluation.loop.checkpoint import read_settings
    from scripts.benchmark_program import BenchmarkProgram
    from scripts.session import run_benchmark
    from scripts.shards.chosen_samples import chosen

    before = read_settings(arguments.earlier)
    earlier = (
        before.options.get("lengths") if before is not None else None
    )  # what the server's context was then
    cells = needle.Cells(
        lengths=tuple(sorted(options["lengths"] or earlier or ())),
        depths=options["depth_percent"],
        kinds=options["kinds"],
        per_cell=options["per_cell"],
    )

    def choose(samples: Sequence[Sample]) -> Sequence[Sample]:
        return chosen(samples, arguments)

    seed = arguments.sampling.seed or 0
    measured = MeasuredNeedles(
        cells=cells, seed=seed, max_tokens=arguments.sampling.max_tokens, choose=choose, say=events.say
    )
    benchmark = BenchmarkProgram(
        name=needle.NAME,
        data_sha256="",
        make_task=measured.make_task,
        style_options=lambda _: measured.cells.options(),
        details=measured.details,
        prepare=measured.prepare,
        identity=lambda style: needle.identity(style, seed),
    )
    await run_benchmark(benchmark, arguments, events)


if __name__ == "__main__":
    leave(run_program(read_arguments, _main))
