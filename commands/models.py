"""`models`: the models on this machine, by the names that `--model` takes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from commands.options import UserPath
from results.views.terminal import print_table, say, size_text

if TYPE_CHECKING:
    from pathlib import Path

    from servers.library.listing import Listed

EXAMPLES = """
\b
Examples:
  bench_runner.py models
  bench_runner.py models /data/gguf
  bench_runner.py models --json | jq -r 'select(.problem == "") | .name'
  bench_runner.py run --benchmark human_eval --model ollama:qwen2.5:7b
"""
HEADER = ("model", "size", "quantisation", "parameters", "context", "architecture", "kept by", "note")


@click.command(epilog=EXAMPLES)
@click.argument("folders", nargs=-1, type=UserPath(), metavar="[FOLDER]...")
@click.option("--json", "as_json", is_flag=True, help="Print each model as one line of JSON.")
def models(*, folders: tuple[Path, ...], as_json: bool) -> None:
    """List the models that Ollama, LM Studio, llama.cpp and the Hugging Face hub keep here, and those in FOLDERS.

    The names are those that --model takes; those of kind OWNER/NAME are for vLLM. Nothing is fetched.
    """
    from results.errors import UsageError
    from servers.library.listing import list_models

    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"{folder} is no folder", hint="give the folder that has the models")
    for_people = sys.stdout.isatty() and not as_json  # who typed the folder's name
    found = list_models([folder if for_people else folder.absolute() for folder in folders])
    if as_json:
        import dataclasses

        from results.json_text import encode

        for each in found:
            click.echo(encode(dataclasses.asdict(each)))
        return
    print_table(
        HEADER,
        [_line(each) for each in found],
        numbers=HEADER[1:2],
        optional=("note", "architecture", "kept by", "parameters", "size"),
        all_shown_by="--json",
    )
    if not found:
        say(
            "no models were found; --model demo fetches a small one, hf:owner/name/file.gguf one of the hub",
            err=True,
        )


def _line(listed: Listed) -> tuple[str, ...]:
    notes = [listed.problem] if listed.problem else []
    if listed.parts > 1 and not listed.problem:
        notes.append(f"{listed.parts} parts")
    if listed.server == "vllm":
        notes.append("for vLLM")
    return (
        listed.name,
        "" if listed.size_bytes is None else size_text(listed.size_bytes),
        listed.quantization,
        "" if listed.parameter_count is None else _count(listed.parameter_count),
        "" if listed.context_length is None else str(listed.context_length),
        listed.architecture,
        listed.keeper,
        "; ".join(notes),
    )


def _count(number: int) -> str:
    """For example 7.6B, 135M."""
    for unit, size in (("T", 10**12), ("B", 10**9), ("M", 10**6), ("K", 10**3)):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return str(number)
