"""`fit`: which context, slots and layers of a model fit on a card, with the command line for it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from commands.options import ModelName
from results.views.terminal import Fact, print_table, say, say_facts, warn

if TYPE_CHECKING:
    from servers.capacity.fit import Fit, Fitting, Room
    from servers.models import Model

EXAMPLES = """
\b
Examples:
  bench_runner.py fit some.gguf
  bench_runner.py fit some.gguf --vram 24G
  bench_runner.py fit some.gguf --vram 24G,24G --ram 64G --parallel 4
  bench_runner.py fit some.gguf --vram 24G --ctx-size 32k
"""
HEADER = ("KV cache", "slots", "context per slot", "layers on GPU", "GPU GiB", "RAM GiB", "limited by")
_GIB = 1 << 30
_LEAST_BYTES = 1 << 20  # less is a size whose unit was forgotten


@dataclass(frozen=True, kw_only=True)
class _Answer:
    """What is printed. text: the user's name of the model. source: where the sizes come from."""

    model: Model
    text: str
    binary: str
    room: Room
    fitting: Fitting
    fits: list[Fit]
    source: str


@click.command(epilog=EXAMPLES)
@click.argument("model", type=ModelName())
@click.option(
    "--vram",
    multiple=True,
    metavar="SIZE",
    help="Free memory of a card, such as 24G; of several: 24G,24G, or repeated.  [default: this machine's cards]",
)
@click.option("--ram", metavar="SIZE", help="Free memory of the host.  [default: this machine's]")
@click.option("--ctx-size", metavar="N", help="Show the most slots with N tokens each, such as 8192 or 32k.")
@click.option(
    "--parallel", type=click.IntRange(1, 256), metavar="N", help="Only N slots.  [default: 1, 2, 4, 8]"
)
@click.option(
    "--gpu-layers", type=click.IntRange(-1), metavar="N", help="Exactly N layers on the GPU; -1 for all."
)
@click.option(
    "--kv-type",
    "kv_types",
    multiple=True,
    metavar="TYPE",
    help="Type of the KV cache; may be repeated.  [default: f16, q8_0, q4_0]",
)
@click.option(
    "--server-binary", metavar="PATH", help="llama-server; llama-fit-params beside it is asked too."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with the command lines of every row.")
def fit(
    *,
    model: str,
    vram: tuple[str, ...],
    ram: str | None,
    ctx_size: str | None,
    parallel: int | None,
    gpu_layers: int | None,
    kv_types: tuple[str, ...],
    server_binary: str | None,
    as_json: bool,
) -> None:
    """Show the longest context of MODEL (a GGUF file or another name for --model) that fits on a card.

    For each type of KV cache and number of slots: tokens per slot, layers on the GPU, memory. Nothing is started.
    """
    from results.errors import UsageError
    from servers.capacity.fit import KV_TYPES, SLOTS, Fitting, all_fits
    from servers.capacity.llama_estimate import find_estimator
    from servers.capacity.memory_estimate import CACHE_TYPES
    from servers.llama_cpp import find_binary
    from servers.models import resolve

    for each in kv_types:
        if each not in CACHE_TYPES:
            raise UsageError(
                f"--kv-type {each}: there is no such type of cache", hint=f"one of {', '.join(CACHE_TYPES)}"
            )
    served = resolve(model)
    if served.kind != "gguf":
        raise UsageError(
            f"{model} is not a GGUF file",
            hint="vLLM chooses by itself: see its log for the KV cache and concurrency",
        )
    tokens = None if ctx_size is None else tokens_of("--ctx-size", ctx_size)
    binary = find_binary(server_binary)
    room = room_of(vram, ram, has_server=binary is not None)
    estimator = find_estimator(binary)
    fitting = Fitting(served, room, estimator=estimator)
    fits = all_fits(
        fitting,
        kv_types=kv_types or KV_TYPES,
        slots=SLOTS if parallel is None else (parallel,),
        ctx_size=tokens,
        gpu_layers=gpu_layers if room.cards else 0,
    )
    answer = _Answer(
        model=served,
        text=model,
        binary=str(binary or "llama-server"),
        room=room,
        fitting=fitting,
        fits=fits,
        source=f"{estimator} and the file" if fitting.by_llama else "the file; no llama-fit-params was asked",
    )
    if as_json:
        click.echo(to_json(answer))
        return
    _print(answer)
    if tokens is not None and fitting.trained and tokens > fitting.trained:
        warn(f"{tokens:,} tokens of context, but the model was trained on {fitting.trained:,}")


def _print(answer: _Answer) -> None:
    say_facts(_facts(answer))
    lines = [_line(each) for each in answer.fits]
    print_table(
        HEADER,
        lines,
        numbers=set(HEADER) - {"KV cache", "limited by"},
        optional=() if answer.room.cards else ("GPU GiB", "layers on GPU"),
        all_shown_by="--json",
    )
    for caveat in answer.fitting.caveats:
        say(f"note: {caveat}")
    best = _best(answer.fits)
    if best is None:
        say("nothing fits; try a smaller quantisation of the model")
        return
    slots = f"{best.parallel} slot{'s' * (best.parallel != 1)}"
    say(f"for {best.ctx_size:,} tokens in {slots} with a KV cache of {best.kv_type}:", bold=True)
    for words in (_run_command(best, answer.text), _server_command(best, answer.model, answer.binary)):
        say(f"  {shlex.join(words)}")


def tokens_of(option: str, text: str) -> int:
    """The tokens of a slot, such as 32k. option: for messages. Raises UsageError."""
    from results.errors import UsageError
    from servers.llama_cpp import MIN_CTX_SIZE
    from settings.speed_lengths import token_count

    try:
        tokens = token_count(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}", hint=f"such as {option} 8k") from None
    if tokens < MIN_CTX_SIZE:
        raise UsageError(
            f"{option} {tokens}: llama.cpp gives a slot at least {MIN_CTX_SIZE} tokens",
            hint=f"give {MIN_CTX_SIZE} or more, such as 8k",
        )
    return tokens


def room_of(vram: tuple[str, ...], ram: str | None, *, has_server: bool) -> Room:
    """What was given; otherwise what is free here. Without a llama-server, no card is used unless it was given."""
    from runner.machine import this_machine
    from servers.capacity.fit import Room

    cards = tuple(size for text in vram for part in text.split(",") if (size := _size("--vram", part)))
    host = None if ram is None else _size("--ram", ram)
    if not vram or host is None:
        machine = this_machine(Path.cwd())
        host = machine.memory_available_bytes if host is None else host
        if not vram and has_server:
            cards = machine.cards_bytes
    return Room(cards=cards, host_bytes=host)


def _size(option: str, text: str) -> int:
    from results.errors import UsageError
    from settings.values import size_bytes

    try:
        size = size_bytes(text.strip())
    except UsageError as error:
        raise UsageError(f"{option}: {error.message}", hint="such as 24G") from None
    if 0 < size < _LEAST_BYTES:
        raise UsageError(f"{option} {text}: that is {size} bytes", hint="give a unit, such as 24G")
    return size


def _facts(answer: _Answer) -> list[Fact]:
    model, room, fitting = answer.model, answer.room, answer.fitting
    header = model.header
    known = [header.architecture, header.quantization or ""] if header else []
    cards = ", ".join(f"{size / _GIB:.1f} GiB" for size in room.cards) or "none"
    trained = f"{fitting.trained:,} tokens" if fitting.trained else "the file doesn't say"
    return [
        Fact("model", ", ".join(filter(None, [model.name, *known]))),
        Fact("trained for", trained),
        Fact("cards", cards),
        Fact("memory", f"{room.host_bytes / _GIB:.1f} GiB"),
        Fact("estimated by", answer.source),
    ]


def _line(fit: Fit) -> tuple[str, ...]:
    if not (fit.ctx_size and fit.parallel):
        return (fit.kv_type, str(fit.parallel or "-"), "-", "-", "-", "-", "does not fit")
    beyond = {"training": "the model's training", "memory": "memory", "wish": "nothing here"}
    layers = "" if not fit.cards_bytes else f"{fit.gpu_layers} of {fit.layer_count}"
    return (
        fit.kv_type,
        str(fit.parallel),
        f"{fit.ctx_size:,}",
        layers,
        " + ".join(f"{size / _GIB:.1f}" for size in fit.cards_bytes),
        f"{fit.memory.host_bytes / _GIB:.1f}",
        beyond[fit.bound],
    )


def _best(fits: list[Fit]) -> Fit | None:
    """The longest context of the fewest slots; of equals the first, whose cache is quantised least."""
    fitting = [each for each in fits if each.ctx_size and each.parallel]
    if not fitting:
        return None
    fewest = min(each.parallel for each in fitting)
    if len({each.ctx_size for each in fitting}) == 1:
        return max(fitting, key=lambda each: each.gpu_layers)
    return max((each for each in fitting if each.parallel == fewest), key=lambda each: each.ctx_size)


def _run_command(fit: Fit, text: str) -> list[str]:
    sizes = ["--ctx-size", str(fit.ctx_size), "--parallel", str(fit.parallel)]
    if fit.cards_bytes:
        sizes += ["--gpu-layers", "-1" if fit.gpu_layers == fit.layer_count else str(fit.gpu_layers)]
    more = ["--", *fit.server_args] if fit.server_args else []
    return ["./bench_runner.py", "run", "--benchmark", "human_eval", "--model", text, *sizes, *more]


def _server_command(fit: Fit, model: Model, binary: str) -> list[str]:
    layers = ["-ngl", "999" if fit.gpu_layers == fit.layer_count else str(fit.gpu_layers)]
    sizes = ["-c", str(fit.ctx_size * fit.parallel), "-np", str(fit.parallel)]
    return [binary, "-m", str(model.path), *sizes, *(layers if fit.cards_bytes else []), *fit.server_args]


def to_json(answer: _Answer) -> bytes:
    """The whole answer as JSON, with the command lines of each row."""
    import dataclasses

    from results.json_text import encode_indented

    rows: list[dict[str, Any]] = []
    for each in answer.fits:
        works = bool(each.ctx_size and each.parallel)
        commands = {
            "run": _run_command(each, answer.text) if works else None,
            "llama_server": _server_command(each, answer.model, answer.binary) if works else None,
        }
        rows.append({**dataclasses.asdict(each), "fits": works, **commands})
    document = {
        "model": answer.model.name,
        "path": str(answer.model.path),
        "context_length_trained": answer.fitting.trained,
        "layer_count": answer.fitting.layer_count,
        "cards_bytes": answer.room.cards,
        "host_bytes": answer.room.host_bytes,
        "estimated_by": answer.source,
        "caveats": answer.fitting.caveats,
        "fits": rows,
    }
    return encode_indented(document, indent=2)
