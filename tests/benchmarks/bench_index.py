"""The index of 1,000 runs of 1,000 completions: how long it takes to make, its size, and what pages ask of it."""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from results.compare.cached_tables import CachedTables
from results.store.index.opening import open_run_store
from results.store.run_store import GridQuery, RunOrder, RunQuery, SampleQuery
from tests.benchmarks.made_runs import made_runs
from tests.benchmarks.rows import Row
from tests.web.postgres import throw_away_cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from results.store.index.sql_run_store import SqlRunStore

RUNS, SAMPLES = 1000, 1000
ASKED = 20  # times; the slowest but one counts
MIB = 1 << 20


def measure() -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="bench-index-") as folder:
        results_dir = Path(folder) / "results"
        made_runs(results_dir, runs=RUNS, samples=SAMPLES)
        yield from _of(results_dir, None, "SQLite", build_s=30.0, most_mb=60.0)
        try:
            with throw_away_cluster() as server:
                url = server.new_database()
                yield from _of(results_dir, url, "PostgreSQL", build_s=60.0, most_mb=180.0)
        except pytest.skip.Exception as why:
            yield Row("index in PostgreSQL", None, "s", None, str(why))


def _of(results_dir: Path, url: str | None, where: str, *, build_s: float, most_mb: float) -> Iterator[Row]:
    store = open_run_store(results_dir, url)
    begun, used = time.perf_counter(), time.process_time()
    store.refresh(within_s=None)
    took, used = time.perf_counter() - begun, time.process_time() - used
    what = f"{RUNS} runs of {SAMPLES} completions"
    yield Row(
        f"index in {where}", took, "s", build_s, f"{what}; {used:.1f} s of this process's processor time"
    )
    yield Row(f"its size in {where}", _size(store) / 1e6, "MB", most_mb)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MIB
    yield Row("memory after it", memory, "MiB", None, "the most so far, of this process")
    tables = CachedTables(store)
    begun = time.perf_counter()
    tables.tables()
    yield Row(
        f"leaderboard, {where}",
        time.perf_counter() - begun,
        "s",
        None,
        f"{RUNS - 1} tests, for the first time",
    )
    begun = time.perf_counter()
    CachedTables(store).tables()
    yield Row(f"leaderboard, {where}", time.perf_counter() - begun, "s", None, "with the tests kept")
    for name, ask, bound in _questions(store, tables):
        yield Row(f"{name}, {where}", _slowest(ask), "ms", bound)
    store.database.dispose()


def _questions(store: SqlRunStore, tables: CachedTables) -> Iterator[tuple[str, Callable[[], object], float]]:
    ids = tuple(row.run_id for row in store.runs(RunQuery(limit=24)).rows)
    yield "leaderboard again", tables.tables, 5.0
    yield "100 of the runs by score", lambda: store.runs(RunQuery(order=RunOrder.SCORE)), 30.0
    yield "100 completions of a run", lambda: store.samples(ids[0], SampleQuery()), 30.0
    yield "one completion", lambda: store.sample(ids[0], "HumanEval/7"), 30.0
    yield "grid of 5 runs", lambda: store.grid(GridQuery(run_ids=ids[:5])), 30.0
    yield "hardest problems", lambda: store.hardest("human_eval"), 30.0
    yield "most disputed problems", lambda: store.flipped("human_eval"), 30.0
    yield "24 runs by difficulty", lambda: store.by_tag("human_eval", "difficulty", ids), 30.0
    yield "is anything new", store.version, 5.0
    yield "a look at every folder", lambda: store.refresh(within_s=None), 100.0


def _slowest(ask: Callable[[], object]) -> float:
    """Milliseconds."""
    ask()
    times = []
    for _ in range(ASKED):
        begun = time.perf_counter()
        ask()
        times.append(1000 * (time.perf_counter() - begun))
    return sorted(times)[-2]


def _size(store: SqlRunStore) -> int:
    if store.database.file is not None:
        return store.database.file.stat().st_size
    with store.database.engine.connect() as connection:
        found = connection.exec_driver_sql(
            "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'run_index' AND c.relkind = 'r'"
        )
        return int(found.scalar() or 0)
