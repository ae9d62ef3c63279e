"""How wide each column of a table is on a terminal, and where its cells are folded.

Cells fold between words, and long names after a hyphen, a dot or a slash. A number, a size or an interval is never
broken, nor is a short word if there is room.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rich.cells import cell_len

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

GAP = 2  # columns of the terminal between two of the table
_SHORT = 16  # characters of a word that isn't broken if there is room, such as a short id
_PIECE = re.compile(r"(?:\([^()]{1,14}\)\S*|[\d.,]+ [kMGT]?i?B\b|\S+)\s*")  # an interval and a size are whole
_INSIDE = re.compile(r"(?<=\w[-/])|(?<=\w\.)(?=[A-Za-z])")
_TO_MEASURE = 60  # cells of a column: the longest ones decide


def fitting_widths(
    header: Sequence[str], columns: Sequence[Sequence[str]], width: int
) -> tuple[list[int], int] | None:
    """A width for each column so that the table fits `width`, and the longest word that is not folded; None if it can't
    fit without breaking words. columns: the cells of each.
    """
    room = width - GAP * (len(header) - 1)
    whole = [max(map(cell_len, (name, *cells))) for name, cells in zip(header, columns, strict=True)]
    if sum(whole) <= room:
        return whole, _SHORT
    for short in (_SHORT, 1):
        widths = [
            max(cell_len(piece.rstrip()) for text in (name, *cells) for piece in (*pieces(text, short), ""))
            for name, cells in zip(header, columns, strict=True)
        ]
        if sum(widths) <= room:
            return _spread(widths, header, columns, room, short), short
    return None


def breaks_no_word(header: Sequence[str], columns: Sequence[Sequence[str]], width: int) -> bool:
    """Whether the table fits without a break in a word."""
    fitting = fitting_widths(header, columns, width)
    return fitting is not None and fitting[1] == _SHORT


def fold(text: str, width: int, short: int) -> str:
    """The text in lines of that width."""
    if cell_len(text) <= width:
        return text
    lines = [""]
    for piece in pieces(text, short):
        if lines[-1] and cell_len(f"{lines[-1]}{piece.rstrip()}") > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


def pieces(text: str, short: int) -> list[str]:
    """What a line may end with: words, and the parts of words longer than `short`. The last of a word has the blanks
    behind it.
    """
    found: list[str] = []
    for word in _PIECE.findall(text):
        found += [word] if len(word.rstrip()) <= short else _INSIDE.split(word)
    return found


def _spread(
    widths: Sequence[int], header: Sequence[str], columns: Sequence[Sequence[str]], room: int, short: int
) -> list[int]:
    """Give the remaining room to the columns that are folded most: first for their cells, then for their headings."""
    widths = list(widths)
    longest = [sorted(set(cells), key=cell_len)[-_TO_MEASURE:] for cells in columns]
    for measured in (longest, [[name] for name in header]):
        while True:
            heights = [_height(cells, width, short) for cells, width in zip(measured, widths, strict=True)]
            for at in sorted(range(len(widths)), key=lambda at: -heights[at]):
                wanted = _next_width(measured[at], widths[at], heights[at], room - sum(widths), short)
                if wanted is not None:
                    widths[at] = wanted
                    break
            else:
                break
    return widths


def _next_width(cells: Sequence[str], width: int, height: int, spare: int, short: int) -> int | None:
    """The least larger width at which the cells need fewer lines."""
    if height <= 1:
        return None
    return next(
        (wider for wider in range(width + 1, width + spare + 1) if _height(cells, wider, short) < height),
        None,
    )


def _height(cells: Iterable[str], width: int, short: int) -> int:
    return max((fold(text, width, short).count("\n") + 1 for text in cells), default=1)
