"""Which files of LiveCodeBench's data set make up a release, and how they are fetched."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evaluation.data.hub import fetch_file
from results.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

REPOSITORY = "livecodebench/code_generation_lite"
DEFAULT_RELEASE = (
    "release_v6"  # May 2023 to April 2025, 1055 problems; a fixed one, so that scores stay comparable
)
_PATTERN = re.compile(r"release_v([1-9]\d?)|v([1-9]\d?)(?:_v([1-9]\d?))?")


def release_files(release: str) -> tuple[str, ...]:
    """The names of its files, by the rule of the data set's card: `release_v3` is everything up to the third
    publication, `v3` only what the third one added, `v2_v4` what the second to the fourth added.

    Raises UsageError for another name.
    """
    found = _PATTERN.fullmatch(release)
    if found is None:
        raise UsageError(
            f"there is no release {release!r} of LiveCodeBench",
            hint="release_v1 to release_v6 (or a newer one) for everything up to then, v6 for what the sixth added, "
            "v4_v6 for several",
            settings=("release",),
        )
    first = 1 if found[1] else int(found[2])
    last = int(found[1] or found[3] or found[2])
    if first > last:
        raise UsageError(
            f"--release {release} begins after its end", hint=f"v{last}_v{first}", settings=("release",)
        )
    return tuple("test.jsonl" if number == 1 else f"test{number}.jsonl" for number in range(first, last + 1))


def fetch_release(release: str) -> list[Path]:
    """Its files, from the Hugging Face Hub or its cache on this machine. Raises UsageError, ScriptError."""
    return [fetch_file(REPOSITORY, name) for name in release_files(release)]
