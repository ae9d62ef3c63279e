"""Rankings by difficulty and any other tag of the problems, with real differences on each of its values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import Response  # noqa: TC002 - FastAPI reads the annotation at run time

from results.compare.leaderboard import SortBy, sort_rows
from results.compare.tag_ranks import TagRanks, tag_ranks
from results.compare.versus_best import Rank
from results.views.comparison_text import p_text
from results.views.composites.composite_text import composite_sentences
from results.views.sentences.tag_words import tag_sentences
from web.access.caller import may
from web.access.role import Role
from web.pages.benchmark_tables import Shown, shown_tables
from web.pages.composites.by_tag import composite_ranking, scored_by_tag
from web.pages.leaderboard import NO_RUNS
from web.pages.rendering import page
from web.pages.standings import Standing, run_url
from web.pages.table import Cell, Column, Empty, Kind, Picker, Row, Table, axis_of
from web.pages.view import Filter, View, choice
from web.services import ServicesDep  # noqa: TC001 - FastAPI reads the annotation at run time

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.compare.leaderboard import Row as RunRow
    from web.pages.table import Value

router = APIRouter(include_in_schema=False, dependencies=[Depends(may(Role.READ))])
ROWS = 40  # the best of the table; more of them can't be tested in the time of a page
VALUES = 12  # of one tag; of more, the first
_FIRST = ("difficulty", "level")  # the tag that is shown if none is asked for


@router.get("/rankings")
def rankings(
    request: Request,
    services: ServicesDep,
    *,
    benchmark: str = "",
    tag: str = "",
    table: str = "",
    order: str = "",
    what: str = "",
) -> Response:
    """The runs of one table by the values of a tag. order: the value to sort by; "" for the score of all problems.
    what: "composite" for composite scores instead.
    """
    shown = shown_tables(services, benchmark, table)
    tags = services.store.tags(shown.benchmark) if shown.benchmark else {}
    name = tag or next((each for each in _FIRST if each in tags), next(iter(tags), ""))
    found = shown.standing
    if found is None or name not in tags:
        return _nothing(request, shown, name)
    rows = found.table.rows[:ROWS]
    both = scored_by_tag(found.table.rows, name)
    filters = (choice("tag", "By", name, {each: each for each in tags}), *shown.table_choice())
    if what == "composite" and both:
        return _by_composite(request, shown, found, filters, tag=name, order=order)
    ranks = tag_ranks(rows, shown.benchmark, name, services.store)
    made = _table(found, rows, ranks, order)
    sentences = tag_sentences(ranks, found.names)
    view = View(
        title=f"{shown.benchmark} by {name}",
        name=f"rankings-{shown.benchmark}-{name}",
        lead=sentences[0] if len(sentences) == 1 else "",
        sentences=tuple(sentences),
        tables=(made,),
    )
    return page(
        request,
        "rankings.html.jinja",
        view=view,
        shown=shown,
        filters=filters,
        table=made,
        sentences=sentences,
        left_out=len(found.table.rows) - len(rows),
        values_left_out=max(0, len(ranks.values) - VALUES),
        has_composites=both,
    )


def _by_composite(
    request: Request, shown: Shown, found: Standing, filters: Sequence[Filter], *, tag: str, order: str
) -> Response:
    rows = sort_rows(found.table.rows, SortBy.COMPOSITE)
    made = composite_ranking(found, rows[:ROWS], tag, order)
    sentences = composite_sentences(found.table)
    view = View(
        title=f"{shown.benchmark} by {tag}: composite scores",
        name=f"rankings-{shown.benchmark}-{tag}-composite",
        sentences=tuple(sentences),
        tables=(made,),
    )
    return page(request, "rankings.html.jinja", view=view, shown=shown, filters=filters, table=made,
                sentences=sentences, left_out=max(0, len(rows) - ROWS), values_left_out=0, untested=True,
                has_composites=True)  # fmt: skip


def _nothing(request: Request, shown: Shown, tag: str) -> Response:
    if not shown.benchmark:
        empty = NO_RUNS
    elif shown.standing is None:
        empty = Empty(f"No run of {shown.benchmark} has a result yet.")
    else:
        which = f"the tag {tag}" if tag else "tags"
        empty = Empty(
            f"The problems of {shown.benchmark} don't have {which}.",
            "A benchmark's problems may carry tags, such as a difficulty, by which scores are also given.",
            "/",
            "To the leaderboard",
        )
    return page(request, "rankings.html.jinja", view=View(title="Rankings", name="rankings"), shown=shown, filters=(),
                table=None, sentences=(), left_out=0, values_left_out=0, empty=empty)  # fmt: skip


def _table(found: Standing, rows: Sequence[RunRow], ranks: TagRanks, order: str) -> Table:
    values = ranks.values[:VALUES]
    every = [each for value in values for each in ranks.counts[value].values()]
    axis = axis_of([end for each in every for end in (each.low, each.high)])
    by = order if order in values else ""
    columns = [Column("model", "model", term="model"), _all_column(by, axis)]
    for value in values:
        many = max(each.samples for each in ranks.counts[value].values())
        columns.append(
            Column(f"{ranks.tag}={value}", value, f"{many} problems", Kind.SCORE, 1, axis, order=value,
                   sorted="descending" if by == value else "", term="interval" if value == values[0] else "")
        )  # fmt: skip

    def key(row: RunRow) -> float:
        counts = ranks.counts[by].get(row.record.run_id) if by else None
        return -(counts.solved if counts is not None else row.score or 0.0 if not by else -1.0)

    ordered = sorted(rows, key=key) if by else rows
    return Table(
        f"Score by {ranks.tag}, of {found.table.title}",
        tuple(columns),
        tuple(_row(found, row, ranks, values) for row in ordered),
        picker=Picker("/compare", "run", "Compare the chosen runs"),
        quiet_caption=True,
    )


def _all_column(by: str, axis: tuple[float, float]) -> Column:
    return Column("all_percent", "all problems", "", Kind.SCORE, 1, axis, order="all",
                  sorted="" if by else "descending", term="score")  # fmt: skip


def _row(found: Standing, row: RunRow, ranks: TagRanks, values: Sequence[str]) -> Row:
    run_id = row.record.run_id
    cells: dict[str, Cell | Value] = {
        "model": Cell(row.record.model, found.names[run_id], href=run_url(run_id)),
        "all_percent": Cell(row.score, low=row.score_low, high=row.score_high),
    }
    for value in values:
        if (counts := ranks.counts[value].get(run_id)) is None:
            continue
        versus = ranks.versus[value].get(run_id)
        good = versus is not None and versus.rank in {Rank.BEST, Rank.SAME, Rank.BETTER} and counts.solved
        worse = versus is not None and versus.rank is Rank.WORSE
        p_value = versus.adjusted_p if versus is not None and versus.adjusted_p is not None else None
        cells[f"{ranks.tag}={value}"] = Cell(
            round(counts.solved, 4),
            low=counts.low,
            high=counts.high,
            tone="good" if good else "dim" if worse else "",
            also=f"worse, {p_text(p_value)}" if worse and p_value is not None else "",
        )
    return Row(cells, pick=run_id)
