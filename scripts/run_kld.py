"""Fidelity of a served model to a reference: `python -m scripts.run_kld --help`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from results.errors import UsageError
from results.files import user_path
from scripts.arguments import parse, whole
from scripts.program import leave, run_program
from settings.benchmark_settings import KLD_TOP, KLD_WINDOW
from settings.sampling_rules import option_of

if TYPE_CHECKING:
    import argparse

    from scripts.arguments import Arguments
    from scripts.events import Events

_ABOUT = (
    "How far the predictions of a served model are from a reference's, on a text: KL divergence, same-top rate, change "
    "of probability, perplexity. Make the reference first, with its model served: --write-reference DIR; then serve "
    "the other model: --reference DIR. --limit is a number of windows."
)
_USED = {"temperature", "seed"}  # accepted, as everywhere; nothing is sampled


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--kld-text",
        type=user_path,
        metavar="FILE",
        help="the text, in UTF-8 (default: the one that comes with the program)",
    )
    add(
        "--kld-window",
        type=whole(4, 9_999_999),
        default=KLD_WINDOW,
        metavar="N",
        help=f"tokens of a window, of which the second half is measured (default: {KLD_WINDOW})",
    )
    add(
        "--kld-top",
        type=whole(1, 9_999_999),
        default=KLD_TOP,
        metavar="K",
        help=f"the likeliest tokens that are compared one by one (default: {KLD_TOP})",
    )
    add("--reference", type=user_path, metavar="DIR", help="compare with the predictions in this folder")
    add(
        "--write-reference",
        type=user_path,
        metavar="DIR",
        help="write the predictions into this folder, as a reference for others",
    )
    add("--facts", default="", metavar="JSON", help="what is known of the model, for --write-reference")


def _read_arguments() -> Arguments:
    arguments = parse(sys.argv[1:], benchmark="kld", about=_ABOUT, add_options=_add_options)
    unused = [name for name in arguments.sampling.given if name not in _USED]
    unused += ["n_samples"] * (arguments.n_samples != 1)
    unused += ["shuffle"] * (arguments.shuffle is not None)
    unused += ["prompt_style"] * (arguments.prompt_style != "auto")
    if unused:
        raise UsageError(
            f"{option_of(unused[0])} does not apply to kld",
            hint="nothing is sampled: it is set by --kld-text, --kld-window, --kld-top and --limit",
            settings=(unused[0],),
        )
    if arguments.options["reference"] and arguments.options["write_reference"]:
        raise UsageError("--reference can't be combined with --write-reference", hint="leave one of them out")
    return arguments


async def _main(arguments: Arguments, events: Events) -> None:
    from scripts.kld_session import run_kld

    await run_kld(arguments, events)


if __name__ == "__main__":
    leave(run_program(_read_arguments, _main))
