"""Runs ranked by their composite on each value of a tag, such as a difficulty."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.compare.composites import composite_order, parts_order
from results.compare.tag_ranks import ordered_values
from results.views.composites.composite_text import kind_letter, partial_text
from web.pages.composites.columns import kinds_of, whole_cell
from web.pages.composites.tables import tagged_cell
from web.pages.standings import run_url
from web.pages.table import Cell, Column, Kind, Picker, Row, Table, axis_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from results.compare.leaderboard import Row as RunRow
    from results.scores.composite import TaggedScores
    from web.pages.standings import Standing
    from web.pages.table import Value

_MOST_VALUES = 12


def scored_by_tag(rows: Sequence[RunRow], tag: str) -> bool:
    """Whether any of the runs has a composite by that tag."""
    return any(_tagged(row, tag) for row in rows)


def composite_ranking(found: Standing, rows: Sequence[RunRow], tag: str, order: str) -> Table:
    """The runs that have a composite, the highest first. order: the value of the tag to sort by; "" for all problems.
    Composites that were computed in another way come after those of the most runs.
    """
    kinds = kinds_of(found.table.rows)
    tagged = {row.record.run_id: _tagged(row, tag) for row in rows if row.record.composite is not None}
    values = ordered_values({value for each in tagged.values() for value in each})[:_MOST_VALUES]
    by = order if order in values else ""
    every = [each.composite for of in tagged.values() for each in of.values()]
    every += [each.partial for of in tagged.values() for each in of.values() if each.partial is not None]
    axis = axis_of([end for each in every for end in (each.low, each.value, each.high)])

    def weights(row: RunRow) -> Mapping[str, float]:
        return row.record.composite.weights if row.record.composite is not None else {}

    def key(row: RunRow) -> tuple[float, ...]:
        whole = composite_order(row.record, kinds)
        if not by:
            return whole
        each = tagged[row.record.run_id].get(by)
        if each is None:
            return (whole[0], 4.0, 0.0, 0.0)
        return (whole[0], *parts_order(each, weights(row)))

    made = []
    for row in sorted((row for row in rows if row.record.run_id in tagged), key=key):
        record = row.record
        cells: dict[str, Cell | Value] = {
            "model": Cell(record.model, found.names[record.run_id], href=run_url(record.run_id)),
            "scored": kind_letter(record, kinds),
        }
        if record.composite is not None:
            cells["composite"] = whole_cell(record.composite.composite, partial_text(record))
        cells |= {
            f"{tag}={value}": tagged_cell(each, weights(row)) for value, each in tagged[record.run_id].items()
        }
        made.append(Row(cells, pick=record.run_id))
    columns = (
        Column("model", "model", term="model"),
        Column("scored", "scored", term="scored"),
        _column("composite", "all problems", axis, "all", is_sorted=not by, term="composite"),
        *(_column(f"{tag}={value}", value, axis, value, is_sorted=by == value) for value in values),
    )
    picker = Picker("/compare", "run", "Compare the chosen runs")
    caption = f"Composite by {tag}, of {found.table.title}"
    return Table(caption, columns, tuple(made), picker=picker, quiet_caption=True)


def _tagged(row: RunRow, tag: str) -> dict[str, TaggedScores]:
    composite = row.record.composite
    return {each.value: each for each in composite.by_tag if each.tag == tag} if composite is not None else {}


def _column(
    name: str, title: str, axis: tuple[float, float], order: str, *, is_sorted: bool, term: str = ""
) -> Column:
    return Column(name, title, "", Kind.SCORE, 1, axis, order=order, term=term,
                  sorted="descending" if is_sorted else "")  # fmt: skip
