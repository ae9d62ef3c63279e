"""What the needle runs of a table find at which length and depth, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from results.stats.context import read_context
from results.views.context_table import context_cells, effective_text
from settings.needle_lengths import length_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from results.compare.leaderboard import Table


class PlainTable(NamedTuple):
    caption: str
    head: list[str]
    rows: list[list[str]]


def context_tables(table: Table, names: Mapping[str, str]) -> tuple[PlainTable, ...]:
    """One of all runs by length, then one of each run by length and depth; () without such runs. names: by run id."""
    found = {}
    for row in table.rows:
        score = row.record.score
        figures = read_context(score.details) if score is not None else None
        if figures is not None:
            found[names[row.record.run_id]] = figures
    if not found:
        return ()
    lengths = sorted({each.length for figures in found.values() for each in figures.lengths})
    rows = []
    for name, figures in found.items():
        recall = {each.length: f"{100 * each.recall.value:.1f}" for each in figures.lengths}
        rows.append([name, effective_text(figures), *(recall.get(length, "") for length in lengths)])
    overview = PlainTable(
        "Share of the hidden values that were found, in percent, by length in tokens",
        ["run", "enough is found up to", *map(length_text, lengths)],
        rows,
    )
    return overview, *(
        PlainTable(f"{name}: samples passed at each length and depth", *context_cells(figures))
        for name, figures in found.items()
    )
