"""Where the files lie that can be fetched or computed again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """The folder for files that can be fetched or computed again: $XDG_CACHE_HOME/bench_runner."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "bench_runner"
