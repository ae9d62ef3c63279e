"""The scores and composites of a table's runs by the difficulty of the problems, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from results.compare.composites import kinds_of_composites
from results.compare.tag_ranks import ordered_values
from results.views.composites.composite_text import kind_letter, named_partial
from results.views.report.context import PlainTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from results.compare.leaderboard import Table
    from results.records import Metric, RunRecord

_TAGS = ("difficulty", "level")  # the first that the runs have
_MOST_VALUES = 12


def difficulty_tables(table: Table, names: Mapping[str, str]) -> tuple[PlainTable, ...]:
    """One of the scores, and one of the composites where there are any; () without such tags. names: by run id."""
    records = [row.record for row in table.rows]
    kinds = kinds_of_composites(records)
    scored = {record.run_id: kind_letter(record, kinds) for record in records}
    lettered = {
        run_id: f"{name}, scored {scored[run_id]}" if scored.get(run_id) else name
        for run_id, name in names.items()
    }
    for tag in _TAGS:
        scores = {record.run_id: dict(_scores(record, tag)) for record in records}
        composites = {record.run_id: dict(_composites(record, tag)) for record in records}
        found = [
            _table(f"{what} by {tag}", cells, called)
            for what, cells, called in (
                ("Score, in percent with its 95 % interval,", scores, names),
                ("Composite, with its 95 % interval,", composites, lettered),
            )
            if any(cells.values())
        ]
        if found:
            return tuple(found)
    return ()


def _table(caption: str, cells: Mapping[str, Mapping[str, str]], names: Mapping[str, str]) -> PlainTable:
    values = ordered_values({value for each in cells.values() for value in each})
    left_out = len(values) - _MOST_VALUES
    more = f"; {left_out} more values are not shown" if left_out > 0 else ""
    rows = [
        [names[run_id], *(each.get(value, "") for value in values[:_MOST_VALUES])]
        for run_id, each in cells.items()
        if each
    ]
    return PlainTable(caption + more, ["run", *values[:_MOST_VALUES]], rows)


def _scores(record: RunRecord, tag: str) -> Iterator[tuple[str, str]]:
    if record.score is None:
        return
    first = next(iter(record.score.metrics), "")
    for name, metric in record.score.metrics.items():
        start = f"{first} {tag}="
        if first and name.startswith(start):
            yield name.removeprefix(start), _percent(metric)


def _percent(metric: Metric) -> str:
    if metric.low is None or metric.high is None:
        return f"{100 * metric.value:.1f}"
    return f"{100 * metric.value:.1f} ({100 * metric.low:.1f} to {100 * metric.high:.1f})"


def _composites(record: RunRecord, tag: str) -> Iterator[tuple[str, str]]:
    if (found := record.composite) is None:
        return
    for each in found.by_tag:
        if each.tag == tag:
            yield each.value, named_partial(each, found.weights)
