"""In which words of an answer a number or a letter was read, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_LINES = 200  # from the end, where answers stand
_MOST_CHARS = 300


def deciding_line(text: str, is_read: Callable[[str], bool]) -> str:
    """The last line that says the same alone as the whole text does; empty where no line does. is_read: whether one
    does.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in reversed(lines[-_MOST_LINES:]):
        if is_read(line):
            return line if len(line) <= _MOST_CHARS else f"...{line[-_MOST_CHARS:]}"
    return ""
