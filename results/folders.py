"""Where runs lie if nobody says it, and what can be fetched or computed again."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from results.files import user_path

CERTIFICATES = "certificates"  # in a folder of results; see `results.store.certificates`


def default_results_dir() -> Path:
    """$BENCH_RESULTS_DIR, or `benchmark_results` in the current folder. Raises UsageError."""
    return user_path(os.environ.get("BENCH_RESULTS_DIR") or "benchmark_results")


def cache_folder() -> Path:
    """The folder for files that can be fetched or computed again: $XDG_CACHE_HOME/bench_runner."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "bench_runner"


def size_bytes_of(folder: Path) -> int:
    """What the files in it take. What another process deletes meanwhile takes nothing. Raises other OSErrors."""
    total = 0
    with contextlib.suppress(FileNotFoundError):
        for file in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                total += file.stat().st_size
    return total
