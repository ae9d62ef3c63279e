"""Find llama-perplexity, and the options that it has."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from servers.llama_cpp import executable, find_binary, help_of

NAME = "llama-perplexity"
BUILT_HERE = Path("build") / "bin" / NAME
_OPTION = re.compile(r"(?<![\w-])--?[A-Za-z][\w-]*")


def find_perplexity(asked: str | None, server_binary: str | None) -> Path | None:
    """The requested one, $LLAMA_PERPLEXITY, the one beside llama-server, on PATH, or in ./build/bin. None if there is
    none. Raises UsageError if the requested one, or the requested llama-server, can't be executed.
    """
    for text, origin in (
        (asked, "--perplexity-binary"),
        (os.environ.get("LLAMA_PERPLEXITY"), "$LLAMA_PERPLEXITY"),
    ):
        if text:
            return executable(text, origin, setting="perplexity_binary")
    server = find_binary(server_binary)
    places: list[Path] = []
    if server is not None:
        places += [server.with_name(NAME), server.resolve().with_name(NAME)]
    if on_path := shutil.which(NAME):
        places.append(Path(on_path))
    for path in (*places, BUILT_HERE):
        if path.is_file() and os.access(path, os.X_OK):
            return path.absolute()
    return None


def known_options(binary: Path) -> frozenset[str]:
    """All options that its --help names; empty if it says nothing."""
    return frozenset(_OPTION.findall(help_of(binary) or ""))
