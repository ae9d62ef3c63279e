"""Words of a program's command line, taken apart without knowing its options."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NUMBER = re.compile(r"-?[\d.]")


def option_groups(words: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Each option with the values behind it. A word that begins with a dash is an option, unless it is a number."""
    group: list[str] = []
    for word in words:
        if group and word.startswith("-") and not _NUMBER.match(word):
            yield tuple(group)
            group = []
        group.append(word)
    if group:
        yield tuple(group)
