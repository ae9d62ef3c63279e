"""The main table of a report: columns of cells, each with what a page needs to lay it out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.views.composites.composite_text import (
    PARTIAL,
    WHOLE,
    composite_columns,
    partial_text,
    value_text,
)
from results.views.energy_cost import money
from results.views.leaderboard_text import (
    GIB,
    fidelity_columns,
    judged_text,
    notes,
    rank_text,
    row_kind,
    score_text,
)
from results.views.report.titles import shared_family
from results.views.report.verdict import cut_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from results.compare.leaderboard import Row, Table

BAR = 120  # the width of an interval's drawing


@dataclass(frozen=True)
class Bar:
    """A score and its interval on the table's common axis: places from 0 to BAR."""

    low: float
    at: float
    high: float


@dataclass(frozen=True)
class Cell:
    text: str
    bar: Bar | None = None
    also: str = ""


@dataclass(frozen=True)
class Column:
    """kind: "text", "number", "score" or "long". below: what stands below its heading."""

    name: str
    kind: str
    cells: tuple[Cell, ...]
    below: str = ""


@dataclass(frozen=True)
class Line:
    """One run. kind: "as-good", "worse", "stopped" or empty."""

    run_id: str
    name: str
    model: str
    kind: str
    picked: bool
    cells: tuple[tuple[Column, Cell], ...]


def table_lines(table: Table, names: Mapping[str, str], picked: str) -> tuple[list[Column], list[Line]]:
    """The columns that are filled, and the runs. names: by run id. picked: the id of the run to take."""
    columns = _columns(table)
    family = shared_family(table)  # it stands above the table
    lines = [
        Line(
            run_id=row.record.run_id,
            name=names[row.record.run_id],
            model="" if family or row.record.model in names[row.record.run_id] else row.record.model,
            kind=row_kind(row),
            picked=row.record.run_id == picked,
            cells=tuple((column, column.cells[number]) for column in columns),
        )
        for number, row in enumerate(table.rows)
    ]
    return columns, lines


def short_number(value: float) -> str:
    """A number in at most about six characters, never in powers of ten below a quadrillion: 46.8, 2,560, 1.2M."""
    if not math.isfinite(value):
        return "?"
    size = abs(value)
    for limit, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if size >= limit:
            scaled = value / limit
            return f"{scaled:.3g}{unit}" if abs(scaled) < 1000 else f"{value:.2e}"
    if size >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if size >= 0.001 or not size else f"{value:.1e}"


def _columns(table: Table) -> list[Column]:
    low, high = _axis([end for row in table.rows for end in (row.score_low, row.score, row.score_high)])
    settings = dict.fromkeys(name for row in table.rows for name in row.settings)
    texts: list[tuple[str, str, Callable[[Row], str]]] = [
        *((name, "text", _setting(name)) for name in settings),
        *((name, "number", text) for name, text in fidelity_columns()),
        ("against the best", "long", rank_text),
        *(
            (name, "text" if name == "scored" else "number", text)
            for name, text in composite_columns(table)
            if name not in {WHOLE, PARTIAL}
        ),
        ("samples", "number", lambda row: "" if row.samples is None else f"{row.samples:,}"),
        ("tokens/s", "number", _speed),
        ("GPU GiB", "number", lambda row: _gib(row.gpu_memory_bytes)),
        ("host GiB", "number", lambda row: _gib(row.host_memory_bytes)),
        ("file GiB", "number", _file),
        ("J/solved", "number", lambda row: _number(row.joules_per_solved)),
        (
            "Wh/1k solved",
            "number",
            lambda row: _number(row.wh_per_1000_solved) if row.price_per_kwh is not None else "",
        ),
        ("cost/1k", "number", lambda row: money(row.cost_per_1000_solved)),
        ("USD/solved", "number", lambda row: money(row.usd_per_solved)),
        ("seconds", "number", lambda row: "" if row.seconds is None else f"{row.seconds:,.0f}"),
        ("note", "long", _notes),
    ]
    made = [Column(name, kind, tuple(Cell(text(row)) for row in table.rows)) for name, kind, text in texts]
    score = Column(
        "score (95 %)",
        "score",
        tuple(Cell(_score(row), _bar(row, low, high), _interval(row)) for row in table.rows),
        below=f"{low:.0f} to {high:.0f}",
    )
    made.insert(len(settings), score)
    at = next(number for number, column in enumerate(made) if column.name == "against the best")
    made[at + 1 : at + 1] = _composite(table)
    if all(row.gpu_memory_bytes is not None for row in table.rows):
        made = [column for column in made if column.name != "host GiB"]
    return [column for column in made if any(cell.text for cell in column.cells)]


def _composite(table: Table) -> list[Column]:
    """The composite of each run, drawn as the score is, and the partial one below an unknown one."""
    found = [row.record.composite for row in table.rows]
    wholes = [each.composite for each in found if each is not None]
    low, high = _axis([end for each in wholes for end in (each.low, each.value, each.high)])

    def cell(row: Row) -> Cell:
        if (scored := row.record.composite) is None:
            return Cell("")
        each = scored.composite
        value, _, interval = value_text(each).partition(" ")
        return Cell(
            value,
            _place(each.low, each.value, each.high, low, high),
            partial_text(row.record) if each.value is None else interval.strip("()"),
        )

    cells = tuple(map(cell, table.rows))
    below = f"{low:.0f} to {high:.0f}" if any(each.bar for each in cells) else ""
    return [Column(WHOLE, "score", cells, below)]


def _axis(ends: Sequence[float | None]) -> tuple[float, float]:
    """The ends of the common axis, in steps of ten points."""
    values = [value for value in ends if value is not None and math.isfinite(value)]
    if not values:
        return 0.0, 100.0
    low, high = 10 * math.floor(min(values) / 10), 10 * math.ceil(max(values) / 10)
    return float(max(0, low)), float(min(100, high if high > low else low + 10))


def _bar(row: Row, low: float, high: float) -> Bar | None:
    return _place(row.score_low, row.score, row.score_high, low, high)


def _place(from_: float | None, value: float | None, to: float | None, low: float, high: float) -> Bar | None:
    """A value and its interval on the axis from low to high; None where one of them isn't known."""
    if value is None or from_ is None or to is None:
        return None

    def place(value: float) -> float:
        return round(BAR * min(1.0, max(0.0, (value - low) / (high - low))), 1)

    return Bar(place(from_), place(value), place(to))


def _score(row: Row) -> str:
    return "" if row.score is None else f"{row.score:.1f}"


def _interval(row: Row) -> str:
    if row.score_low is None or row.score_high is None:
        return ""
    return score_text(row).partition("(")[2].rstrip(")")


def _speed(row: Row) -> str:
    if row.tokens_per_s is None:
        return ""
    if row.tokens_per_s_low is None or row.tokens_per_s_high is None:
        return _number(row.tokens_per_s)
    return (
        f"{_number(row.tokens_per_s)} ({_number(row.tokens_per_s_low)} to {_number(row.tokens_per_s_high)})"
    )


def _file(row: Row) -> str:
    model = row.record.model_identity
    return _gib(model.size_bytes if model is not None else None)


def _gib(value: int | None) -> str:
    return "" if value is None else f"{value / GIB:,.2f}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.1f}" if abs(value) < 1e6 else short_number(value)


def _setting(name: str) -> Callable[[Row], str]:
    return lambda row: " ".join(row.settings.get(name, "").split())


def _notes(row: Row) -> str:
    cut = [] if row.lost else [cut_text(row)]
    return "; ".join(filter(None, (judged_text(row), *cut, *notes(row))))
