"""A table as pages show it and `?format=md|csv|pdf` writes it: the same columns, the same rows, one type."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from results.views.report.table import short_number

if TYPE_CHECKING:
    from collections.abc import Mapping

Value = str | int | float | bool | None
_BAR = 120  # the width of an interval's drawing, as in a report
_SPARK = (100, 20)


class Kind(enum.StrEnum):
    """How a column is laid out. LONG: text that may wrap. CODE: ids and commands. SCORE: a number with its interval,
    drawn on the column's axis. SHARE: a number with a bar from 0 to 100. STATUS: a badge. TIME: ISO 8601, UTC.
    """

    TEXT = "text"
    LONG = "long"
    CODE = "code"
    NUMBER = "number"
    SCORE = "score"
    SHARE = "share"
    STATUS = "status"
    TIME = "time"


@dataclass(frozen=True)
class Column:
    """name: in a CSV file, with its unit. title: its heading. unit: below the heading. digits: of its numbers; None: as
    many as fit. axis: the ends of a SCORE's drawing. order: the value of `?order=` that its heading leads to, if it can
    be sorted by it. sorted: "ascending" or "descending" where the table is. term: its entry in `web.pages.words`, from
    which the page says what the column means. only_exported: a page says it in another way. extra: not on a phone.
    """

    name: str
    title: str
    unit: str = ""
    kind: Kind = Kind.TEXT
    digits: int | None = None
    axis: tuple[float, float] = (0.0, 100.0)
    order: str = ""
    sorted: str = ""
    term: str = ""
    only_exported: bool = False
    extra: bool = False

    @property
    def css(self) -> str:
        """The class of its cells."""
        kind = "number" if self.kind in {Kind.NUMBER, Kind.SHARE} else self.kind.value
        return f"{kind} extra" if self.extra else kind


@dataclass(frozen=True)
class Cell:
    """value: as a CSV file has it. text: as a page shows it, if not the value. href: where it leads, on this site.
    low, high: of its 95 % interval. also: a second, quieter line. tone: "good", "warn", "bad" or "dim". badge: a word
    beside it. spark: values over time, drawn small; None where there is none.
    """

    value: Value = None
    text: str | None = None
    href: str = ""
    low: float | None = None
    high: float | None = None
    also: str = ""
    tone: str = ""
    badge: str = ""
    badge_tone: str = "good"
    spark: tuple[float | None, ...] = ()


@dataclass(frozen=True)
class Row:
    """cells: by the column's name; a missing one is empty. kind: "as-good", "worse", "stopped", "failed" or "".
    id: of the element, for links to it. pick: the value that choosing it gives, see `Picker`.
    """

    cells: Mapping[str, Cell | Value]
    kind: str = ""
    id: str = ""
    pick: str = ""

    def cell(self, column: Column) -> Cell:
        """The cell of a column."""
        found = self.cells.get(column.name)
        return found if isinstance(found, Cell) else Cell(found)


@dataclass(frozen=True)
class Empty:
    """What stands where there is nothing: what that means, and what to do about it."""

    title: str
    text: str = ""
    href: str = ""
    action: str = ""


@dataclass(frozen=True)
class Pager:
    """Which part of a list is shown. first, last: positions from 1. Links are empty where they lead nowhere; `start`
    leads to the first part.
    """

    first: int
    last: int
    total: int
    previous: str = ""
    next: str = ""
    start: str = ""


@dataclass(frozen=True)
class Picker:
    """A form around a table: rows are chosen by a box, and a button leads to what is done with them. action: where.
    name: of the values in its URL. label: of the button. hidden: other values, by name.
    """

    action: str
    name: str
    label: str
    hidden: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Table:
    """columns: without those that are empty in all rows, unless `keep_empty`. caption: what it shows, in a sentence.
    quiet_caption: only screen readers and exports have it. picker: where rows can be chosen.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    empty: Empty = field(default_factory=lambda: Empty("Nothing to show."))
    pager: Pager | None = None
    picker: Picker | None = None
    quiet_caption: bool = False
    keep_empty: bool = False

    @property
    def filled(self) -> tuple[Column, ...]:
        """The columns that say something in some row; the first one always does."""
        if self.keep_empty:
            return self.columns
        return tuple(
            column
            for number, column in enumerate(self.columns)
            if not number or any(shown_text(column, row.cell(column)) for row in self.rows)
        )

    @property
    def shown(self) -> tuple[Column, ...]:
        """Those that a page shows: with what it draws, and without what it says in another way."""
        drawn = {column.name for column in self.columns for row in self.rows if row.cell(column).spark}
        filled = {column.name for column in self.filled} | drawn
        return tuple(each for each in self.columns if each.name in filled and not each.only_exported)


def shown_text(column: Column, cell: Cell) -> str:
    """A cell's text on a page; empty for an unknown value."""
    if cell.text is not None:
        return cell.text
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value.replace("T", " ")[:16] if column.kind is Kind.TIME else value
    if column.digits is not None and math.isfinite(value) and abs(value) < 1e7:
        return f"{value:,.{column.digits}f}"
    return f"{value:,}" if isinstance(value, int) and abs(value) < 1e7 else short_number(value)


def whole_text(column: Column, cell: Cell) -> str:
    """A cell's text where there is no second line: a sentence is not shortened."""
    is_sentence = column.kind is Kind.LONG and isinstance(cell.value, str)
    return str(cell.value) if is_sentence else shown_text(column, cell)


def interval_text(column: Column, cell: Cell) -> str:
    """Its ends with the column's digits, such as 46.1 to 51.0; empty without an interval."""
    if cell.low is None or cell.high is None:
        return ""
    digits = 1 if column.digits is None else column.digits
    return f"{cell.low:,.{digits}f} to {cell.high:,.{digits}f}"


def bar(column: Column, cell: Cell) -> tuple[float, float, float] | None:
    """Where the interval and the value stand on a drawing of 120 units; None where it can't be drawn."""
    low, high = column.axis
    ends = (cell.low, cell.value, cell.high)
    places = []
    for end in ends:
        if not isinstance(end, int | float) or not math.isfinite(end):
            return None
        places.append(round(_BAR * min(1.0, max(0.0, (end - low) / (high - low or 1))), 1))
    return places[0], places[1], places[2]


def axis_of(values: list[float | None]) -> tuple[float, float]:
    """The ends of a common axis for these percentages, in steps of ten."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return 0.0, 100.0
    low = max(0.0, 10.0 * math.floor(min(known) / 10))
    high = min(100.0, 10.0 * math.ceil(max(known) / 10))
    return (low, high) if high > low else (max(0.0, high - 10), max(high, 10.0))


def spark_path(values: tuple[float | None, ...]) -> str:
    """The path of a sparkline in a box of 100 by 20; a gap where a value is unknown; empty with fewer than two."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    if len(known) < 2:
        return ""
    low, high = min(known), max(known)
    width, height = _SPARK
    path, pen = [], "M"
    for number, value in enumerate(values):
        if value is None or not math.isfinite(value):
            pen = "M"
            continue
        y = height / 2 if high == low else height - 2 - (value - low) / (high - low) * (height - 4)
        path.append(f"{pen}{number * width / (len(values) - 1):.1f},{y:.1f}")
        pen = "L"
    return "".join(path)
