"""The tables of a leaderboard from a `RunStore`, made again only where a run changed."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.compare.leaderboard import GroupBy, SortBy, Table, make_tables
from results.compare.run_choice import Choice, choose_runs

if TYPE_CHECKING:
    from results.store.run_store import RunStore

_MOST = 64  # sets of tables that are kept
_EVERY_BENCHMARK = Choice()


@dataclass(frozen=True)
class ChosenTables:
    """left_out: how many runs were left out, by reason, as in `Chosen`. warnings: about what can't be read."""

    tables: tuple[Table, ...]
    left_out: dict[str, int]
    warnings: tuple[str, ...]


class CachedTables:
    """The tables of a store. Each test between two runs is computed once. Safe to use from several threads."""

    def __init__(self, store: RunStore) -> None:
        self.store = store
        self._lock = threading.Lock()
        self._version = ""
        self._found: dict[tuple[Choice, GroupBy | None, SortBy, float | None], ChosenTables] = {}

    def tables(
        self,
        choice: Choice = _EVERY_BENCHMARK,
        *,
        group_by: GroupBy | None = None,
        sort_by: SortBy = SortBy.SCORE,
        price_per_kwh: float | None = None,
    ) -> ChosenTables:
        """The tables of the runs that are chosen, as `leaderboard` shows them. Raises UsageError and ResultsError as
        `choose_runs`.
        """
        version = self.store.version()
        key = (choice, group_by, sort_by, price_per_kwh)
        with self._lock:
            if version != self._version:
                self._version, self._found = version, {}
            if (found := self._found.get(key)) is not None:
                return found
            warnings: list[str] = []
            chosen = choose_runs(self.store.results_dir, choice, warn=warnings.append, store=self.store)
            tables = make_tables(
                chosen.runs,
                warn=warnings.append,
                group_by=group_by,
                sort_by=sort_by,
                price_per_kwh=price_per_kwh,
                store=self.store,
            )
            found = ChosenTables(tuple(tables), chosen.left_out, tuple(warnings))
            if len(self._found) >= _MOST:
                self._found.clear()
            self._found[key] = found
            return found
