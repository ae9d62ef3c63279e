"""The columns that a table of runs has of composite scores, and each run's cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.compare.composites import kinds_of_composites
from results.views.composites.composite_text import UNKNOWN, kind_letter, part_headings, part_of, partial_text
from web.pages.table import Cell, Column, Kind, axis_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.compare.composites import ScoredBy
    from results.compare.leaderboard import Row as RunRow
    from results.records import RunRecord
    from results.scores.composite import CompositeScore, PartScore
    from web.pages.table import Value

# Headings of ours beside those of other columns, which have "speed" already.
_TITLES = {"speed": "speed score"}
_TERMS = {name: f"part_{name}" for name in ("correctness", "speed", "quality", "efficiency")}


def has_composites(rows: Sequence[RunRow]) -> bool:
    """Whether any of the runs has one, be it partial."""
    return any(row.record.composite is not None for row in rows)


def composite_columns(rows: Sequence[RunRow], order: str) -> tuple[Column, ...]:
    """The composite, drawn as a score is, and each part; () where no run has any. order: what the table is
    sorted by.
    """
    found = [row.record.composite for row in rows]
    wholes = [each.composite for each in found if each is not None]
    if not wholes:
        return ()
    axis = axis_of([end for each in wholes for end in (each.low, each.value, each.high)])
    return (
        Column("composite", "composite", "", Kind.SCORE, 1, axis, order="composite", term="composite",
               sorted="descending" if order == "composite" else ""),
        Column("scored", "scored", term="scored"),
        Column("partial_composite", "partial composite", kind=Kind.LONG, only_exported=True),
        *(
            Column(
                _name(heading),
                _TITLES.get(heading, heading),
                "of 100",
                Kind.NUMBER,
                1,
                term=_TERMS.get(heading, ""),
                extra=True,
            )
            for heading in part_headings(found)
        ),
    )  # fmt: skip


def composite_cells(record: RunRecord, kinds: Sequence[ScoredBy]) -> dict[str, Cell | Value]:
    """A run's cells of those columns. kinds: of all composites of its table."""
    found = record.composite
    if found is None:
        return {}
    cells: dict[str, Cell | Value] = {
        "composite": whole_cell(found.composite, partial_text(record)),
        "partial_composite": partial_text(record),
        "scored": kind_letter(record, kinds),
    }
    for heading in part_headings([found]):
        part = part_of(record, heading)
        value = part.value if part is not None else None
        cells[_name(heading)] = Cell(value, None if value is not None else UNKNOWN)
    return cells


def kinds_of(rows: Sequence[RunRow]) -> list[ScoredBy]:
    """What the composites of a table were computed by."""
    return kinds_of_composites(row.record for row in rows)


def whole_cell(score: PartScore, partial: str = "") -> Cell:
    """A composite with its interval; n/a, with what is known in part below it."""
    if score.value is None:
        return Cell(None, UNKNOWN, also=partial)
    return Cell(score.value, low=score.low, high=score.high)


def stat_words(composite: CompositeScore) -> tuple[str, str, str]:
    """Name, value and more of the figure at the top of a run's page."""
    whole, partial = composite.composite, composite.partial
    if whole.value is not None:
        interval = "" if whole.low is None or whole.high is None else f", {whole.low:.1f} to {whole.high:.1f}"
        return "Composite", f"{whole.value:.1f}", f"of 100{interval}"
    if partial is not None and partial.value is not None:
        return "Partial composite", f"{partial.value:.1f}", f"of 100, from {len(composite.partial_of)} parts"
    return "Composite", UNKNOWN, ""


def _name(heading: str) -> str:
    """The column's name in a CSV file."""
    return f"{heading.removeprefix('own: ')}_points"
