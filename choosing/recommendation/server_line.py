"""The command line of a server for use, from the one that it was measured with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.records import ServerFacts

# What bench_runner adds to watch a server and to recognise it, and that it keeps no earlier prompts, which chats have a
# use for. It changes no answer; without it the server listens at its own default, 127.0.0.1:8080, under its own name.
_WITH_VALUE = ("--host", "--port", "--alias")
_ALONE = ("--metrics", "--slots")
_PAIRS = {("-lv", "4"), ("--cache-ram", "0")}


def server_line(server: ServerFacts, given: Sequence[str] = ()) -> tuple[str, ...]:
    """llama-server's command line as measured, without address, name and supervision. The built-in llama.cpp becomes
    `llama-server`, which takes the same options.

    given: the user's own words for the server (`server_args`), with which the command ends. They stay as they are.
    """
    words = list(server.command)
    if server.kind == "embedded":
        start = next((i for i, word in enumerate(words) if word == "-m"), len(words))
        words = ["llama-server", *words[start:]]
    own = tuple(given) if given and tuple(words[-len(given) :]) == tuple(given) else ()
    words = words[: len(words) - len(own)]
    found: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        if word in _WITH_VALUE or tuple(words[position : position + 2]) in _PAIRS:
            position += 2
            continue
        if word not in _ALONE:
            found.append(word)
        position += 1
    return (*found, *own)
