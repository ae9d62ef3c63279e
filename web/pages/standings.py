"""A table of comparable runs with what is concluded from it, for the pages that show one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from results.views.conclusion import conclusion
from results.views.leaderboard_text import explanation, judged_text, notes, rank_text, row_kind
from results.views.report.titles import row_names
from results.views.report.verdict import cut_text, verdict
from web.kept import KeptByParts
from web.pages.composites.columns import composite_cells, composite_columns, kinds_of
from web.pages.table import Cell, Column, Kind, Pager, Row, Table, axis_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.compare.composites import ScoredBy
    from results.compare.leaderboard import Row as RunRow
    from results.compare.leaderboard import SortBy
    from results.compare.leaderboard import Table as RunTable
    from results.views.report.verdict import Verdict

GIB = 1 << 30
# What a run costs, and in which direction its order goes.
COSTS = (
    (
        Column("tokens_per_s", "speed", "tokens/s", Kind.NUMBER, 1, order="tokens_per_s", term="tokens_per_s"),
        "descending",
    ),
    (Column("memory_gib", "memory", "GiB", Kind.NUMBER, 2, order="memory", term="memory"), "ascending"),
    (
        Column("joules_per_solved", "energy", "J/solved", Kind.NUMBER, 1, order="joules", term="energy", extra=True),
        "ascending",
    ),
    (Column("usd_per_solved", "cost", "USD/solved", Kind.NUMBER, 5, order="cost", term="cost"), "ascending"),
    (Column("seconds", "time", "s", Kind.NUMBER, 0, order="seconds", term="seconds", extra=True), "ascending"),
)  # fmt: skip
LONGEST_SENTENCE = 420  # characters; a sentence that names hundreds of runs is cut


@dataclass(frozen=True)
class Standing:
    """names: of the runs, by id. sentences: the comparison in words, most important first."""

    table: RunTable
    names: dict[str, str]
    verdict: Verdict
    sentences: tuple[str, ...]
    explanation: str


_STANDINGS: KeptByParts[Standing] = KeptByParts(4)


def standing(table: RunTable) -> Standing:
    """What is concluded of a table."""
    return _STANDINGS.get([table], lambda: _concluded(table))


def _concluded(table: RunTable) -> Standing:
    names = row_names(table)
    called = replace(table, rows=tuple(replace(row, called=names[row.record.run_id]) for row in table.rows))
    return Standing(
        table=table,
        names=names,
        verdict=verdict(table, names),
        sentences=tuple(map(shortened, conclusion(called))),
        explanation=explanation(table),
    )


def shortened(sentence: str, most: int = LONGEST_SENTENCE) -> str:
    """A sentence that ends in time, after a whole name."""
    if len(sentence) <= most:
        return sentence
    cut = sentence[:most].rpartition(", ")[0] or sentence[:most]
    left = sentence[len(cut) :].count(", ")
    return f"{cut} and {left} more." if left else f"{cut}..."


def run_url(run_id: str) -> str:
    """The page of a run."""
    return f"/runs/{quote(run_id, safe='')}"


def sorted_column(column: Column, by: str, direction: str = "descending") -> Column:
    """The column, marked where the table is sorted by it."""
    return replace(column, sorted=direction) if column.order == by else column


def run_columns(rows: Sequence[RunRow], order: SortBy) -> tuple[Column, ...]:
    """The columns of runs of one table: what differs, the score, and what it costs."""
    settings = dict.fromkeys(name for row in rows for name in row.settings)
    axis = axis_of([end for row in rows for end in (row.score_low, row.score, row.score_high)])
    alike = len({row.samples for row in rows}) == 1
    score = Column("score_percent", "score", "", Kind.SCORE, 1, axis, order="score", term="score")
    return (
        Column("model", "model", term="model"),
        *(Column(f"setting_{name}", name) for name in settings),
        sorted_column(score, order),
        Column("against_best", "against the best", kind=Kind.LONG, term="versus"),
        *composite_columns(rows, order.value),
        Column("problems", "problems", kind=Kind.NUMBER, digits=0, term="samples", only_exported=alike),
        *(sorted_column(column, order, direction) for column, direction in COSTS),
        Column("note", "note", kind=Kind.LONG, only_exported=True),
        Column("run_id", "run", kind=Kind.CODE, only_exported=True),
    )  # fmt: skip


def run_rows(found: Standing, rows: Sequence[RunRow]) -> tuple[Row, ...]:
    """The table's rows of these runs."""
    kinds = kinds_of(found.table.rows)
    return tuple(_row(found, row, kinds) for row in rows)


def _row(found: Standing, row: RunRow, kinds: Sequence[ScoredBy]) -> Row:
    run_id = row.record.run_id
    name = found.names[run_id]
    picked = run_id == found.verdict.run_id
    remarks = row.record.remarks.label
    also = row.record.model if row.record.model not in name else ""
    lost, rank = "" if row.lost else cut_text(row), rank_text(row)
    note = "; ".join(filter(None, (judged_text(row), lost, *notes(row))))
    cells: dict[str, Cell | str | int | float | None] = {
        "model": Cell(
            row.record.model,
            name,
            href=run_url(run_id),
            also="; ".join(filter(None, (also, remarks, note))),
            badge=("pick" if found.verdict.kind == "pick" else "perhaps") if picked else "",
            badge_tone="good" if found.verdict.kind == "pick" else "warn",
        ),
        "score_percent": Cell(row.score, low=row.score_low, high=row.score_high),
        "against_best": Cell(rank, rank.partition(" (")[0], also=rank.partition(" (")[2].removesuffix(")")),
        "problems": row.samples,
        "tokens_per_s": row.tokens_per_s,
        "memory_gib": None if row.memory_bytes is None else row.memory_bytes / GIB,
        "joules_per_solved": row.joules_per_solved,
        "usd_per_solved": row.usd_per_solved,
        "seconds": row.seconds,
        "note": note,
        "run_id": run_id,
    }
    cells |= composite_cells(row.record, kinds)
    cells |= {f"setting_{setting}": " ".join(value.split()) for setting, value in row.settings.items()}
    return Row(cells, kind=row_kind(row), pick=run_id)


def run_table(
    found: Standing,
    rows: Sequence[RunRow],
    order: SortBy,
    *,
    pager: Pager | None = None,
    sortable: bool = True,
) -> Table:
    """These rows of the standing's table. sortable: whether its headings sort it."""
    counts = {row.samples for row in found.table.rows}
    each = f", {counts.pop()} problems each" if len(counts) == 1 and None not in counts else ""
    columns = run_columns(found.table.rows, order)
    return Table(
        f"Runs of {found.table.title}{each}. {found.explanation}".strip(),
        columns if sortable else tuple(replace(each, order="", sorted="") for each in columns),
        run_rows(found, rows),
        pager=pager,
    )
