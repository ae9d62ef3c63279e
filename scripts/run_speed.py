"""The speed of any OpenAI-compatible server under load: `python -m scripts.run_speed --help`."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from results.errors import UsageError
from results.leaving import leave
from scripts.arguments import parse, whole
from scripts.program import run_program
from settings.sampling_rules import option_of
from settings.speed_lengths import OUTPUT_TOKENS, PROMPT_TOKENS, refuse_both_lengths, token_count

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripts.arguments import Arguments
    from scripts.events import Events

_ABOUT = (
    "Speed: prefill and generation speed, time to first token and inter-token latency of streamed answers of fixed "
    "length, at each of the given depths or loads. --limit is the most requests of a load."
)
_HIGHEST_TOKENS = 10_000_000
_USED = {"temperature", "seed"}  # of the sampling; what is written is not read


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--concurrencies",
        type=_list(whole(1, 4096)),
        metavar="N,...",
        help="requests at once (default: 1 and --concurrency, or the server's slots; with --depths 1)",
    )
    add(
        "--depths",
        type=_list(_tokens(0)),
        metavar="N,...",
        help="instead of --prompt-tokens: tokens in the context before the answer begins, such as 0,8k,32k",
    )
    add(
        "--prompt-tokens",
        type=_list(_tokens(1)),
        metavar="N,...",
        help=f"length of the prompts (default: {PROMPT_TOKENS})",
    )
    add(
        "--output-tokens",
        type=_list(_tokens(1)),
        default=(token_count(OUTPUT_TOKENS),),
        metavar="N,...",
        help=f"length of the answers (default: {OUTPUT_TOKENS})",
    )
    add(
        "--requests",
        type=whole(1),
        metavar="N",
        help="requests per load (default: 10, or five times the requests at once if that is more; per depth 5)",
    )


def _tokens(least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        try:
            return whole(least, _HIGHEST_TOKENS)(str(token_count(text)))
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def _list(read: Callable[[str], int]) -> Callable[[str], tuple[int, ...]]:
    def read_all(text: str) -> tuple[int, ...]:
        return tuple(dict.fromkeys(read(part.strip()) for part in text.split(",")))

    return read_all


def _read_arguments() -> Arguments:
    arguments = parse(sys.argv[1:], benchmark="speed", about=_ABOUT, add_options=_add_options)
    unused = [name for name in arguments.sampling.given if name not in _USED]
    unused += ["n_samples"] * (arguments.n_samples != 1)
    unused += ["prompt_style"] * (arguments.prompt_style != "auto")
    if arguments.options["depths"] is not None and arguments.options["prompt_tokens"] is not None:
        refuse_both_lengths()
    if unused:
        raise UsageError(
            f"{option_of(unused[0])} does not apply to speed",
            hint="loads are set by --depths, --concurrencies, --prompt-tokens, --output-tokens and --requests",
            settings=(unused[0],),
        )
    return arguments


async def _main(arguments: Arguments, events: Events) -> None:
    from scripts.speed_session import run_speed

    await run_speed(arguments, events)


if __name__ == "__main__":
    leave(run_program(_read_arguments, _main))
