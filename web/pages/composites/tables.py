"""A run's composite as tables: its parts with their weights, and by the values of each tag."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.compare.composites import part_names, speed_against
from results.compare.tag_ranks import ordered_values
from results.views.composites.composite_text import UNKNOWN, list_text, named_partial, why_unknown
from web.pages.composites.columns import whole_cell
from web.pages.table import Cell, Column, Kind, Row, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from results.scores.composite import CompositeScore, TaggedScores
    from web.pages.table import Value

_MOST_VALUES = 16  # of one tag


def composite_tables(composite: CompositeScore | None) -> tuple[Table, ...]:
    """The parts, then a table for each tag; () without a composite."""
    if composite is None:
        return ()
    by_tag: dict[str, list[TaggedScores]] = {}
    for each in composite.by_tag:
        by_tag.setdefault(each.tag, []).append(each)
    tagged = (
        _by_tag(composite, tag, values) for tag, values in by_tag.items() if len(values) <= _MOST_VALUES
    )
    return (_parts(composite), *tagged)


def _parts(composite: CompositeScore) -> Table:
    rows = []
    for name in part_names([composite]):
        part, weight = composite.parts.get(name), composite.weights.get(name, 0.0)
        known = part is not None and part.value is not None
        cells: dict[str, Cell | Value] = {
            "part": name,
            "weight_percent": 100 * weight,
            "points": Cell(part.value, low=part.low, high=part.high)
            if part and known
            else Cell(None, UNKNOWN),
            "samples": part.samples if part is not None and known else None,
            "why": "" if known else (part.why_not if part is not None else "it was not measured"),
        }
        if name == "speed" and known and (against := speed_against(composite)):
            cells["why"] = f"against {against}"
        rows.append(Row(cells))
    whole = composite.composite
    cells = {
        "part": "composite",
        "weight_percent": 100.0,
        "points": whole_cell(whole),
        "samples": whole.samples or None,
        "why": why_unknown(composite),
    }
    rows.append(Row(cells))
    if composite.partial is not None:
        weight = 100 * sum(composite.weights.get(name, 0.0) for name in composite.partial_of)
        cells = {
            "part": "partial composite",
            "weight_percent": weight,
            "points": whole_cell(composite.partial),
            "samples": composite.partial.samples or None,
            "why": f"of {list_text(composite.partial_of)} only",
        }
        rows.append(Row(cells))
    columns = (
        Column("part", "part"),
        Column("points", "value", kind=Kind.SCORE, digits=1, term="composite"),
        Column("weight_percent", "weight", "%", Kind.NUMBER, term="weight"),
        Column("samples", "problems", kind=Kind.NUMBER, digits=0),
        Column("why", "note", kind=Kind.LONG),
    )
    return Table("Composite score and its parts", columns, tuple(rows), quiet_caption=True)


def _by_tag(composite: CompositeScore, tag: str, values: list[TaggedScores]) -> Table:
    names = part_names([composite])
    order = ordered_values(each.value for each in values)
    rows = []
    for each in sorted(values, key=lambda one: order.index(one.value)):
        cells: dict[str, Cell | Value] = {
            tag: each.value,
            "composite": tagged_cell(each, composite.weights),
        }
        for name in names:
            part = each.parts.get(name)
            known = part is not None and part.value is not None
            cells[f"{name}_points"] = Cell(part.value) if part is not None and known else Cell(None, UNKNOWN)
        rows.append(Row(cells))
    columns = (
        Column(tag, tag, term="tag"),
        Column("composite", "composite", kind=Kind.SCORE, digits=1),
        *(Column(f"{name}_points", name, "of 100", Kind.SHARE, 1) for name in names),
    )
    return Table(f"Composite by {tag}", columns, tuple(rows), quiet_caption=True)


def tagged_cell(each: TaggedScores, weights: Mapping[str, float]) -> Cell:
    """The composite on one value of a tag; n/a with the partial one below it where there is none."""
    return whole_cell(each.composite, named_partial(each, weights) if each.partial is not None else "")
