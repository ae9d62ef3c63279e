"""A view as Markdown, CSV or PDF: `?format=` on any page."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

from starlette.responses import Response

from results.errors import UsageError
from results.plain_text import csv_cell
from results.views.report.markdown import plain as markdown_text
from web.pages.table import Cell, Column, Kind, interval_text, whole_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from web.pages.table import Row, Table, Value
    from web.pages.view import View

FORMATS = {"md": "Markdown", "csv": "CSV", "pdf": "PDF"}
_FIGURES = {Kind.NUMBER, Kind.SCORE, Kind.SHARE}  # an unknown one is empty in CSV, whatever a page says
MOST_ROWS = 1000  # of one table in an export; pages show fewer


def exported(view: View, wanted: str) -> Response:
    """The answer that downloads it. Raises UsageError for an unknown format, and for PDF without its extra."""
    name = re.sub(r"[^\w.-]+", "-", view.name, flags=re.ASCII).strip("-.") or "view"
    if wanted == "md":
        return _download(markdown(view).encode(), "text/markdown; charset=utf-8", f"{name}.md")
    if wanted == "csv":
        return _download(csv_text(view).encode(), "text/csv; charset=utf-8", f"{name}.csv")
    if wanted == "pdf":
        from web.pages.pdf import pdf

        return _download(pdf(view), "application/pdf", f"{name}.pdf")
    raise UsageError(f"a page can't be exported as {wanted}", hint=f"format: {', '.join(FORMATS)}")


def markdown(view: View) -> str:
    """Title, conclusion, facts and tables. Every text stands there literally, in one line."""
    return "\n".join(_markdown_lines(view)) + "\n"


def csv_text(view: View) -> str:
    """Its tables one after another, with an empty line between them. Numbers can be read back exactly; a text that a
    spreadsheet would take for a formula begins with an apostrophe.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for number, table in enumerate(view.tables):
        if number:
            writer.writerow([])
        with_interval = {column.name for column in table.filled if _has_interval(table, column)}
        heads: list[str] = []
        for column in table.filled:
            ends = [f"{column.name}_low", f"{column.name}_high"] if column.name in with_interval else []
            heads += [column.name, *ends]
        writer.writerow([csv_cell(head) for head in heads])
        for row in table.rows:
            writer.writerow(list(_csv_cells(table, row, with_interval)))
    return text.getvalue()


def _download(content: bytes, kind: str, name: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return Response(content, media_type=kind, headers=headers)


def _markdown_lines(view: View) -> Iterator[str]:
    yield f"# {markdown_text(view.title)}"
    if view.lead:
        yield from ("", f"**{markdown_text(view.lead)}**")
    if view.sentences or view.facts:
        yield ""
    yield from (f"- {markdown_text(each)}" for each in view.sentences)
    yield from (f"- {markdown_text(name)}: {markdown_text(value)}" for name, value in view.facts)
    for table in view.tables:
        yield from ("", f"## {markdown_text(table.caption)}", "")
        if not table.rows:
            yield markdown_text(table.empty.title)
            continue
        columns = table.shown
        yield f"| {' | '.join(markdown_text(_heading(column)) for column in columns)} |"
        yield f"|{''.join(' ---: |' if column.css.startswith('number') else ' --- |' for column in columns)}"
        for row in table.rows:
            yield f"| {' | '.join(markdown_text(_words(column, row.cell(column))) for column in columns)} |"


def _heading(column: Column) -> str:
    return f"{column.title} ({column.unit})" if column.unit else column.title


def _words(column: Column, cell: Cell) -> str:
    text = whole_text(column, cell)
    if interval := interval_text(column, cell):
        text += f" ({interval})"
    return " ".join(filter(None, (text, f"({cell.badge})" if cell.badge else "")))


def _has_interval(table: Table, column: Column) -> bool:
    return any(row.cell(column).low is not None for row in table.rows)


def _csv_cells(table: Table, row: Row, with_interval: set[str]) -> Iterator[Value]:
    for column in table.filled:
        cell = row.cell(column)
        value = cell.text if cell.value is None and column.kind not in _FIGURES else cell.value
        yield csv_cell(value) if isinstance(value, str) else value
        if column.name in with_interval:
            yield from (cell.low, cell.high)
