"""The tables of a leaderboard from a `RunStore`, made again only where a run changed."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from results.compare.leaderboard import GroupBy, SortBy, Table, make_tables, sort_rows
from results.compare.run_choice import Choice, choose_runs
from results.errors import BenchError, UsageError
from settings.suites import is_suite_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from results.store.reading.run_row import RunRow
    from results.store.run_store import RunStore

_MOST = 8  # sets of tables that are kept; one of a thousand runs takes some MB
_STALE_S = 5.0  # how long older tables are shown while `refresh` makes new ones
_USED_S = 600.0  # what nobody asked for since is not made anew
_EVERY_BENCHMARK = Choice()


@dataclass(frozen=True)
class ChosenTables:
    """left_out: how many runs were left out, by reason, as in `Chosen`. warnings: about what can't be read. is_current:
    whether they were of the runs as these were when the tables were asked for.
    """

    tables: tuple[Table, ...]
    left_out: dict[str, int]
    warnings: tuple[str, ...]
    is_current: bool = True


@dataclass
class _Kept:
    """rows: of the runs that they were made from. older: the same tables, as they are told when they are older than the
    runs. stale_since: when they were first seen to be.
    """

    rows: list[object]
    found: ChosenTables
    older: ChosenTables
    used: float
    stale_since: float | None = None


_Key = tuple[Choice, GroupBy | None, float | None]


class CachedTables:
    """The tables of a store. Each test between two runs is computed once. Safe to use from several threads."""

    def __init__(self, store: RunStore) -> None:
        self.store = store
        self._making = threading.Lock()
        self._lock = threading.Lock()
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        self._refreshed = False

    def tables(
        self,
        choice: Choice = _EVERY_BENCHMARK,
        *,
        group_by: GroupBy | None = None,
        sort_by: SortBy = SortBy.SCORE,
        price_per_kwh: float | None = None,
    ) -> ChosenTables:
        """The tables of the runs that are chosen, as `leaderboard` shows them. Once `refresh` was called, they may be
        some seconds old.

        Raises UsageError as `choose_runs`, also for a benchmark that is given by a file, and ResultsError.
        """
        key = (choice, group_by, price_per_kwh)
        found = self._current(key, patient=self._refreshed)
        if sort_by is SortBy.SCORE:
            return found
        tables = [replace(table, rows=tuple(sort_rows(table.rows, sort_by))) for table in found.tables]
        return replace(found, tables=tuple(tables))

    def refresh(self) -> None:
        """Make those tables anew that were used lately and are older than the runs, so that nobody waits for them."""
        self._refreshed = True
        now = time.monotonic()
        with self._lock:
            keys = [key for key, kept in self._kept.items() if now - kept.used < _USED_S]
        for key in keys or [(_EVERY_BENCHMARK, None, None)]:
            try:
                self._current(key, patient=False)
            except BenchError:  # whoever asks for them is told
                with self._lock:
                    self._kept.pop(key, None)

    def _current(self, key: _Key, *, patient: bool) -> ChosenTables:
        """patient: whether older ones will do for a while."""
        rows = _seen(self.store.rows(), key[0])
        if (found := self._known(key, rows, patient=patient)) is not None:
            return found
        with self._making:
            if (found := self._known(key, rows, patient=False)) is not None:
                return found
            made = self._make(*key)
            with self._lock:
                self._kept[key] = _Kept(rows, made, replace(made, is_current=False), time.monotonic())
                while len(self._kept) > _MOST:
                    self._kept.popitem(last=False)
            return made

    def _known(self, key: _Key, rows: list[object], *, patient: bool) -> ChosenTables | None:
        now = time.monotonic()
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                return None
            if _same(kept.rows, rows):
                kept.stale_since = None
            elif not patient:
                return None
            else:
                kept.stale_since = kept.stale_since or now
                if now - kept.stale_since > _STALE_S:
                    return None
            if patient or not self._refreshed:
                kept.used = now
            self._kept.move_to_end(key)
            return kept.found if kept.stale_since is None else kept.older

    def _make(self, choice: Choice, group_by: GroupBy | None, price_per_kwh: float | None) -> ChosenTables:
        for name in choice.benchmarks:
            if is_suite_file(name):  # whoever asks may be far away: no file is looked for
                raise UsageError(
                    f"there is no benchmark {name!r}, and no run of one", hint="give the suite's name"
                )
        warnings: list[str] = []
        chosen = choose_runs(self.store.results_dir, choice, warn=warnings.append, store=self.store)
        tables = make_tables(
            chosen.runs,
            warn=warnings.append,
            group_by=group_by,
            price_per_kwh=price_per_kwh,
            store=self.store,
        )
        return ChosenTables(tuple(tables), chosen.left_out, tuple(warnings))


def _seen(rows: Sequence[RunRow], choice: Choice) -> list[object]:
    """What tables of that choice depend on: the rows themselves of runs that may be in them, and of others that they
    are left out.
    """
    statuses = choice.statuses
    return [
        row if not statuses or row.status in statuses else (row.run_id, row.status, row.archived)
        for row in rows
    ]


def _same(one: list[object], other: list[object]) -> bool:
    """Rows are the same objects until their runs change."""
    return len(one) == len(other) and all(
        first is second or (type(first) is tuple and first == second)
        for first, second in zip(one, other, strict=True)
    )
