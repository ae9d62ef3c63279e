"""llama-server's cache of earlier prompts in host memory: how a run's server was launched, and what that says of speed.

It can take as long as computing the prompt, and changes no answer. bench_runner has switched it off since the version
that knows of it; runs from before, and those that asked for it, have it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from results.records import RunRecord

_OPTIONS = ("-cram", "--cache-ram")
_OFF = "0"


def cache_ram_of(record: RunRecord) -> str | None:
    """Its size in MiB, as in the command that started the server; None where that doesn't say, or no llama-server was
    started.
    """
    found = None
    command = record.server.command if _is_llama_server(record) and record.server is not None else ()
    for position, word in enumerate(command):
        name, _, value = word.partition("=")
        if name.replace("_", "-") in _OPTIONS:
            found = value or next(iter(command[position + 1 :]), None)  # the last one counts
    return found


def prompt_cache_doubt(record: RunRecord, other: RunRecord) -> str:
    """Why this run's speed isn't comparable with the other's: only the other was told to keep no earlier prompts. ""
    if both were, or neither.
    """
    own = cache_ram_of(record)
    if own == _OFF or cache_ram_of(other) != _OFF or not _is_llama_server(record):
        return ""
    if own is None:
        return "its server may have kept earlier prompts in host memory; that of the other had --cache-ram 0"
    return f"its server kept earlier prompts in host memory (--cache-ram {own}); that of the other kept none"


def _is_llama_server(record: RunRecord) -> bool:
    server = record.server
    return server is not None and server.kind in {"llama.cpp", "embedded"} and bool(server.command)
