"""Several runs on a command line: names as everywhere, and patterns of ids, labels and models."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING

from results.errors import UsageError
from results.store.run_folder import RunFolder, all_folders

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_PATTERN = set("*?[")


def find_runs(results_dir: Path, names: Iterable[str]) -> list[RunFolder]:
    """The runs that are named, each once, oldest first. Raises UsageError if a name or pattern fits none."""
    found: dict[str, RunFolder] = {}
    for name in names:
        if _PATTERN & set(name):
            fitting = [folder for folder in all_folders(results_dir) if _fits(folder, name)]
            if not fitting:
                raise UsageError(f"no run fits {name!r}", hint="see `bench_runner.py list --archived`")
        else:
            fitting = [RunFolder.find(results_dir, name)]
        found |= {folder.run_id: folder for folder in fitting}
    return [found[run_id] for run_id in sorted(found)]


def _fits(folder: RunFolder, pattern: str) -> bool:
    facts = folder.facts()
    texts = (folder.run_id, facts.label, *facts.texts[:1])
    return any(fnmatch.fnmatchcase(text.casefold(), pattern.casefold()) for text in texts)
