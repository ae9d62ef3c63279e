"""Which benchmark and which of its tables a page shows, by its URL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from results.compare.run_choice import Choice
from web.pages.standings import Standing, standing
from web.pages.view import Filter, choice

if TYPE_CHECKING:
    from starlette.requests import Request

    from web.services import Services


@dataclass(frozen=True)
class Shown:
    """benchmarks: all that have runs. benchmark: "" if there is none. tables: the titles of its tables, the largest
    first. standing: of the one that is shown; None where it has no result yet.
    """

    benchmarks: tuple[str, ...]
    benchmark: str
    tables: tuple[str, ...]
    standing: Standing | None

    def tabs(self, request: Request) -> list[tuple[str, str, bool]]:
        """Links to the benchmarks: name, address, whether it is this one."""
        if len(self.benchmarks) < 2:
            return []
        path = request.url.path
        return [
            (each, f"{path}?{urlencode({'benchmark': each})}", each == self.benchmark)
            for each in self.benchmarks
        ]

    def table_choice(self) -> tuple[Filter, ...]:
        """A field that chooses the table, where there are several."""
        if len(self.tables) < 2 or self.standing is None:
            return ()
        return (
            choice(
                "table", "Comparable runs", self.standing.table.title, {each: each for each in self.tables}
            ),
        )


def shown_tables(services: Services, benchmark: str, table: str) -> Shown:
    """The benchmark that was asked for, or the one with the newest run; its table, or the largest one.

    Raises UsageError for a benchmark that nobody knows.
    """
    there = services.store.benchmarks()
    names = tuple(each.benchmark for each in there)
    if not benchmark and there:
        benchmark = max(there, key=lambda each: (each.runs > 1, each.newest)).benchmark
    if not benchmark:
        return Shown(names, "", (), None)
    found = services.tables.tables(Choice(benchmarks=(benchmark,))).tables
    ordered = sorted(found, key=lambda each: -len(each.rows))
    chosen = next((each for each in ordered if each.title == table), ordered[0] if ordered else None)
    titles = tuple(each.title for each in ordered)
    return Shown(names, benchmark, titles, standing(chosen) if chosen is not None else None)
