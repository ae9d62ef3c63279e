"""The builds of a server that lie on this machine, from the oldest to the newest."""

from __future__ import annotations

import glob
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from results.errors import UsageError
from results.files import user_path
from servers.discovery import server_version

if TYPE_CHECKING:
    from collections.abc import Sequence

# llama-server says "version: 6123 (5a2b...)", newer ones "0.6.0 (build 11434, commit ...)"; vLLM 0.11.1rc2.dev3.
_BUILD = re.compile(r"\bbuild (\d+)")
_NUMBERS = re.compile(r"\d+(?:\.\d+)*")
_PRE = re.compile(r"\d(?:\.?(a|b|rc|alpha|beta|dev|pre))", re.IGNORECASE)
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True, kw_only=True)
class Build:
    """path: of the program. version: as it says, "" if it doesn't."""

    path: Path
    version: str

    @property
    def number(self) -> tuple[int, ...] | None:
        """What orders it among others by version: the count of commits if there is one. None if unknown."""
        counted = _BUILD.search(self.version)
        if counted and int(counted[1]):
            return (int(counted[1]),)
        found = _NUMBERS.search(self.version)
        if found is None:
            return None
        numbers = tuple(map(int, found[0].split(".")))
        return numbers if any(numbers) else None


@dataclass(frozen=True, kw_only=True)
class BuildOrder:
    """builds: oldest first. by: what the order is taken from, in words."""

    builds: tuple[Build, ...]
    by: str


def find_builds(patterns: Sequence[str], kind: str) -> BuildOrder:
    """The programs that the patterns match. kind: of server. Raises UsageError if there are fewer than two."""
    paths: dict[Path, None] = {}
    for pattern in patterns:
        matching = [Path(name) for name in sorted(glob.glob(str(user_path(pattern)), recursive=True))]  # noqa: PTH207
        programs = [path for path in matching if path.is_file() and os.access(path, os.X_OK)]
        if not programs:
            what = "matches nothing" if not matching else "matches no program that can be executed"
            raise UsageError(
                f"--binaries {pattern} {what}",
                hint="name programs, in quotes: --binaries 'builds/*/llama-server'",
            )
        paths.update(dict.fromkeys(path.absolute() for path in programs))
    same: dict[Path, Path] = {}
    for path in paths:  # of several links to one program the first counts; environments link to one Python
        same.setdefault(path if kind == "vllm" else path.resolve(), path)
    if len(same) < 2:
        raise UsageError(
            f"--binaries {' '.join(patterns)} matches a single program",
            hint="name at least two, from the last good one to the newest",
        )
    return order_builds([Build(path=path, version=server_version(str(path), kind)) for path in same.values()])


def order_builds(builds: Sequence[Build]) -> BuildOrder:
    """By their versions, if each has one and they are of one form; otherwise by their paths, numbers as numbers."""
    numbers = [build.number for build in builds]
    lengths = {len(number) == 1 for number in numbers if number is not None}
    if None in numbers or len(lengths) > 1:
        return BuildOrder(
            builds=tuple(sorted(builds, key=_by_path)),
            by="their paths, because not all of them say a version of one form",
        )
    ordered = sorted(builds, key=lambda build: (build.number, not _is_early(build), _by_path(build)))
    if len(set(numbers)) < len(numbers):
        return BuildOrder(
            builds=tuple(ordered), by="their versions, and by their paths where these are the same"
        )
    return BuildOrder(builds=tuple(ordered), by="their versions")


def _is_early(build: Build) -> bool:
    """Whether it came before the release of its number."""
    return _PRE.search(build.version.partition(" ")[0]) is not None


def _by_path(build: Build) -> list[tuple[int, int | str]]:
    """Natural order: b9 before b10."""
    parts = _DIGITS.split(str(build.path))
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts]
