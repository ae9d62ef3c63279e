"""The table of lengths and depths of a needle run, and what it says of the effective context."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.stats.context import depth_order
from settings.needle_lengths import length_text

if TYPE_CHECKING:
    from results.stats.context import ContextFigures


def context_cells(figures: ContextFigures) -> tuple[list[str], list[list[str]]]:
    """The headings, and a line for each length: passed of all at each depth, and the recall with its interval."""
    depths = sorted({cell.depth for cell in figures.cells}, key=depth_order)
    cells = {(cell.length, cell.depth): f"{cell.passed}/{cell.completions}" for cell in figures.cells}
    rows = []
    for each in figures.lengths:
        recall = each.recall
        interval = (
            ""
            if recall.low is None or recall.high is None
            else f" ({100 * recall.low:.1f} to {100 * recall.high:.1f})"
        )
        rows.append(
            [
                length_text(each.length),
                *(cells.get((each.length, depth), "") for depth in depths),
                f"{100 * recall.value:.1f}{interval}",
            ]
        )
    return ["length", *depths, "recall, % (95 %)"], rows


def context_rows(figures: ContextFigures) -> list[tuple[str, str]]:
    """The same as named lines of a run, its columns below each other."""
    header, rows = context_cells(figures)
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in (header, *rows)
    ]
    found = [("passed at depth", lines[0]), *(("", line) for line in lines[1:])]
    return [*found, ("effective", effective_text(figures))]


def effective_text(figures: ContextFigures) -> str:
    """Up to which length enough is found, in words, and how many answers aren't in it."""
    plural = "s" * (figures.lost != 1)
    without = f" ({figures.lost} answer{plural} lost to infrastructure left out)" if figures.lost else ""
    return f"{_effective(figures)}{without}"


def _effective(figures: ContextFigures) -> str:
    limit = f"recall {100 * figures.threshold:.1f} %"
    shortest, longest = figures.lengths[0].length, figures.lengths[-1].length
    if figures.effective_context == longest:
        return f"{length_text(longest)} tokens of context or more: every length that was measured reaches {limit}"
    if not figures.effective_context:
        return f"less than {length_text(shortest)} tokens of context: not even the shortest length reaches {limit}"
    return (
        f"{length_text(figures.effective_context)} tokens of context: the next length doesn't reach {limit}"
    )
