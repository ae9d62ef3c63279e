"""What has changed in the run folders since they were read: by the time, size and inode of their files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from results.durable import explained
from results.store.reading.run_files import may_be_run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

FILES = ("run.json", "completions.jsonl", "settings.json")


def signature_of(results_dir: Path, name: str) -> str:
    """Of the folder's files; empty without a run.json. Taken before they are read, so that no change is missed."""
    folder = os.path.join(results_dir, name)  # noqa: PTH118 - a thousand of them at once
    found: list[str] = []
    for file in FILES:
        try:
            status = os.stat(f"{folder}/{file}", follow_symlinks=False)  # noqa: PTH116
        except (OSError, ValueError):
            if not found:
                return ""
            found.append("-")
        else:
            found.append(f"{status.st_mtime_ns}.{status.st_size}.{status.st_ino}")
    return " ".join(found)


def signatures(results_dir: Path) -> dict[str, str]:
    """Of all folders with a run.json, oldest first. Raises ResultsError."""
    with explained("read", results_dir):
        try:
            names = sorted(filter(may_be_run, os.listdir(results_dir)))  # noqa: PTH208
        except FileNotFoundError:
            return {}
    found = ((name, signature_of(results_dir, name)) for name in names)
    return {name: signature for name, signature in found if signature}


def completions_signature(signature: str) -> str:
    """The part of a signature that is of the completions."""
    return signature.split(" ")[1] if signature else ""


def has_grown(before: str, now: str) -> bool:
    """Whether the completions of the second signature are the same file as those of the first, but longer."""
    first, second = (completions_signature(each).split(".") for each in (before, now))
    return len(first) == len(second) == 3 and first[2] == second[2] and int(first[1]) < int(second[1])


def changed(there: Mapping[str, str], known: Mapping[str, str], always: Iterable[str]) -> list[str]:
    """The folders to read again. always: those that may change without a change of their signature."""
    following = {*always}
    return [name for name, signature in there.items() if known.get(name) != signature or name in following]
