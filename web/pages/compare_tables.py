"""The tables of a comparison of two runs: what flipped, tags, costs, and what else differs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.store.reading.run_figures import short
from web.pages.answers.links import pair_url
from web.pages.table import Cell, Column, Empty, Kind, Row, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.compare.comparability import Difference
    from results.compare.comparison import Comparison, Flip
    from results.records import Outcome
    from web.pages.table import Value

GIB = 1 << 30
_MOST_FLIPS = 30
_COSTS = (
    ("speed, tokens/s", "tokens_per_s", 1, 1),
    ("tokens of an answer", "tokens_per_completion", 1, 0),
    ("loading, s", "load_s", 1, 1),
    ("GPU memory, GiB", "memory_bytes", GIB, 2),
    ("host memory, GiB", "host_memory_bytes", GIB, 2),
    ("energy, J", "energy_j", 1, 0),
    ("energy, J per solved problem", "joules_per_solved", 1, 1),
    ("charged, USD", "cost_usd", 1, 5),
)


def flips_table(comparison: Comparison, first: str, second: str) -> Table | None:
    """The problems on which one run did better, the largest gains first; each leads to both answers."""
    flips = sorted((*comparison.better_first, *comparison.better_second), key=lambda flip: -abs(flip.gain))
    rows = tuple(_flip(flip, comparison, first, second) for flip in flips[:_MOST_FLIPS])
    columns = (
        Column("task_id", "problem", term="flipped"),
        Column("better", "better"),
        Column("first", first, kind=Kind.STATUS if comparison.completions_per_sample == 1 else Kind.TEXT),
        Column("second", second, kind=Kind.STATUS if comparison.completions_per_sample == 1 else Kind.TEXT),
    )
    left = f" The first {_MOST_FLIPS} of {len(flips)}." if len(flips) > _MOST_FLIPS else ""
    caption = f"Problems on which one of them did better: {len(comparison.better_first)} for {first}, "
    caption += f"{len(comparison.better_second)} for {second}.{left}"
    return Table(caption, columns, rows, empty=Empty("Both solved the same problems."))


def _flip(flip: Flip, comparison: Comparison, first: str, second: str) -> Row:
    ids = comparison.first.run_id, comparison.second.run_id
    cells: dict[str, Cell | Value] = {
        "task_id": Cell(flip.task_id, href=pair_url(flip.task_id, *ids)),
        "better": second if flip.gain > 0 else first,
        "first": _outcomes(flip.first, flip.first_value),
        "second": _outcomes(flip.second, flip.second_value),
    }
    return Row(cells)


def _outcomes(outcomes: Sequence[Outcome], value: float | None) -> str:
    if value is not None and len(outcomes) > 1:
        return f"{value:.2g}"
    if len(outcomes) == 1:
        return outcomes[0].value
    return f"{sum(each == 'passed' for each in outcomes)} of {len(outcomes)} passed"


def tags_table(comparison: Comparison, first: str, second: str) -> Table | None:
    """How many of the problems with each tag each run solved; None without tags."""
    rows = []
    for pair in comparison.by_tag:
        name = ", ".join(f"{tag} {value}" for tag, value in pair.tags.items())
        cells: dict[str, Cell | Value] = {
            "tag": name,
            "first": 100 * pair.first / pair.samples,
            "second": 100 * pair.second / pair.samples,
            "problems": pair.samples,
        }
        rows.append(Row(cells))
    columns = (
        Column("tag", "tag", term="tag"),
        Column("first", first, "%", Kind.SHARE, 1),
        Column("second", second, "%", Kind.SHARE, 1),
        Column("problems", "problems", kind=Kind.NUMBER, digits=0),
    )
    return Table("Solved problems by tag; not tested one by one", columns, tuple(rows)) if rows else None


def costs_table(comparison: Comparison, first: str, second: str) -> Table | None:
    """What each run cost, as far as it was measured."""
    rows = []
    for name, field, unit, digits in _COSTS:
        values = [getattr(run, field) for run in (comparison.first, comparison.second)]
        if values == [None, None]:
            continue
        shown = [None if value is None else value / unit for value in values]
        ratio = values[1] / values[0] if values[0] and values[1] is not None else None
        cells: dict[str, Cell | Value] = {
            "what": name,
            "first": Cell(shown[0], None if shown[0] is None else f"{shown[0]:,.{digits}f}"),
            "second": Cell(shown[1], None if shown[1] is None else f"{shown[1]:,.{digits}f}"),
            "ratio": Cell(ratio, None if ratio is None else f"{ratio:.2f} times"),
        }
        rows.append(Row(cells))
    doubts = [
        f"{name}: {why}"
        for name, run in ((first, comparison.first), (second, comparison.second))
        for why in (*run.not_comparable, *run.energy_doubts)
    ]
    columns = (
        Column("what", "what it costs"),
        Column("first", first, kind=Kind.NUMBER),
        Column("second", second, kind=Kind.NUMBER),
        Column("ratio", "second to first", kind=Kind.NUMBER),
    )
    caption = f"What each costs. Unsure: {'; '.join(doubts)}" if doubts else "What each costs"
    return Table(caption, columns, tuple(rows)) if rows else None


def differences_table(differences: Sequence[Difference], first: str, second: str) -> Table | None:
    """Model, server, machine and program where they differ; None where nothing does."""
    rows = tuple(
        Row({"name": each.name, "first": short(each.first), "second": short(each.second)})
        for each in differences
    )
    columns = (Column("name", "what differs"), Column("first", first), Column("second", second))
    return Table("What else differs", columns, rows) if rows else None
