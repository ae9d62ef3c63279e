"""The tags that samples of runs have, by the first answer of each: enough to complete a command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from results.files import open_to_read
from results.json_text import NOT_THAT_JSON

if TYPE_CHECKING:
    from collections.abc import Iterable

    from results.store.run_folder import RunFolder

_MOST_BYTES = 1 << 20  # of a line


class _Tagged(msgspec.Struct):
    tags: dict[str, str] = {}


def tag_names(folders: Iterable[RunFolder]) -> list[str]:
    """In the order in which they are found. What can't be read has none."""
    found: dict[str, None] = {}
    for folder in folders:
        try:
            with open_to_read(folder.completions) as file:
                line = file.readline(_MOST_BYTES)
            found |= dict.fromkeys(msgspec.json.decode(line, type=_Tagged).tags)
        except (OSError, ValueError, *NOT_THAT_JSON):
            continue
    return list(found)
