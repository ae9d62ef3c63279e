"""Fidelity of a served model to a reference: `python -m scripts.run_kld --help`."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from results.errors import UsageError
from results.files import user_path
from results.leaving import leave
from scripts.arguments import parse, whole
from scripts.program import run_program
from settings.benchmark_settings import KLD_CACHE_BYTES, KLD_LEAST_OF_PROGRAM, KLD_TOP, KLD_WINDOW
from settings.sampling_rules import option_of
from settings.table import TABLE
from settings.values import read_value

if TYPE_CHECKING:
    from scripts.arguments import Arguments
    from scripts.events import Events

_ABOUT = (
    "How far the predictions of a model are from a reference's, on a text: KL divergence, same-top rate, change of "
    "probability, perplexity. Of a served model: make the reference first, with its model served: --write-reference "
    "DIR; then serve the other model: --reference DIR. Without a server: --reference-model FILE, and the command of "
    "llama-perplexity for the other model after --, with the settings to measure. --limit is a number of windows."
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
    add("--facts", default="", metavar="JSON", help="what is known of the model that is the reference")
    add(
        "--reference-model",
        type=user_path,
        metavar="FILE",
        help="with llama-perplexity: a GGUF file to compare with; its base logits are made once and kept in a cache",
    )
    add(
        "--kld-cache-size",
        type=_size,
        default=KLD_CACHE_BYTES,
        metavar="SIZE",
        help=f"the most that the cache of base logits may hold (default: {KLD_CACHE_BYTES >> 30}G)",
    )
    add(
        "perplexity",
        nargs="*",
        metavar="-- llama-perplexity -m FILE",
        help="measure with this program; no server is asked",
    )


def _size(text: str) -> int:
    try:
        size: int = read_value(TABLE["kld_cache_size"], text, variables=False)
    except UsageError as error:
        raise argparse.ArgumentTypeError(error.message) from None
    return size


def _read_arguments() -> Arguments:
    arguments = parse(
        sys.argv[1:], benchmark="kld", about=_ABOUT, add_options=_add_options, serverless="perplexity"
    )
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
    served = [name for name in ("reference", "write_reference") if arguments.options[name]]
    if arguments.options["perplexity"] and served:
        raise UsageError(
            f"--{served[0].replace('_', '-')} is for what a server predicts",
            hint="give --reference-model FILE",
        )
    window = arguments.options["kld_window"]
    if arguments.options["perplexity"] and window < KLD_LEAST_OF_PROGRAM:
        raise UsageError(
            f"--kld-window {window}: llama-perplexity takes windows of {KLD_LEAST_OF_PROGRAM} tokens or more",
            hint=f"give {KLD_LEAST_OF_PROGRAM} or more",
            settings=("kld_window",),
        )
    if arguments.options["reference_model"] and not arguments.options["perplexity"]:
        raise UsageError(
            "--reference-model needs the command of llama-perplexity",
            hint="give it after --: -- llama-perplexity -m MODEL.gguf",
        )
    return arguments


async def _main(arguments: Arguments, events: Events) -> None:
    if arguments.options["perplexity"]:
        from scripts.kld_perplexity_session import run_perplexity

        await run_perplexity(arguments, events)
        return
    from scripts.kld_session import run_kld

    await run_kld(arguments, events)


if __name__ == "__main__":
    leave(run_program(_read_arguments, _main))
