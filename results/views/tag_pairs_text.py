"""How many of the samples with each tag two runs solved, as text: a line a value, or a table of lengths and depths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.stats.context import depth_order
from results.views.terminal import Fact
from settings.needle_lengths import length_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from results.compare.by_tag import TagPair


def tag_facts(pairs: Sequence[TagPair], metric: str = "") -> Iterator[Fact]:
    """Lines for tags that stand alone, then the table. metric: what the score is, if not how many were solved."""
    cells = [pair for pair in pairs if len(pair.tags) > 1]
    in_table = {name for cell in cells for name in cell.tags}
    before = ""
    for pair in (pair for pair in pairs if len(pair.tags) == 1):
        ((name, value),) = pair.tags.items()
        if name in in_table:
            continue
        if metric:
            figures = [f"{100 * each / pair.samples:.1f}" for each in (pair.first, pair.second)]
            solved = f"{metric} A {figures[0]}, B {figures[1]} of 100 ({pair.samples} samples)"
        else:
            solved = f"A {_number(pair.first)}, B {_number(pair.second)} of {pair.samples} solved"
        yield Fact(f"by {name}" if name != before else "", f"{value}: {solved}")
        before = name
    if cells:
        yield from _table(cells)


def _table(cells: Sequence[TagPair]) -> Iterator[Fact]:
    depths = sorted({cell.tags["depth"] for cell in cells}, key=depth_order)
    lengths = sorted({cell.tags["length"] for cell in cells}, key=_tokens)
    texts = {
        (
            cell.tags["length"],
            cell.tags["depth"],
        ): f"{_number(cell.first)}|{_number(cell.second)} of {cell.samples}"
        for cell in cells
    }
    rows = [["length", *depths]]
    rows += [
        [length_text(_tokens(length)) if length.isdecimal() else length]
        + [texts.get((length, depth), "") for depth in depths]
        for length in lengths
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    yield Fact("A|B at depth", lines[0])
    yield from (Fact("", line) for line in lines[1:])


def _tokens(length: str) -> int:
    return int(length) if length.isdecimal() else 0


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:.1f}"
