"""Open what the web application works with, from what the operator set."""

from __future__ import annotations

import contextlib
import gc
from typing import TYPE_CHECKING

from results.compare.cached_tables import CachedTables
from results.errors import BenchError
from results.store.index.indexer import Indexer
from results.store.index.opening import Following, open_run_store
from results.store.index.sql_run_store import SqlRunStore
from web.access.streams import Streams
from web.database.database import open_database
from web.jobs.audit import Audit
from web.jobs.keys import Keys
from web.jobs.queue import Queue
from web.jobs.schedules import Schedules
from web.services import Services

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from web.config import ServeConfig


def no_worker() -> str:
    """The state of a worker that `serve` was told not to start."""
    return "ok"


@contextlib.contextmanager
def open_services(config: ServeConfig, *, worker_state: Callable[[], str] = no_worker) -> Iterator[Services]:
    """Open the database, which is made if there is none, and the index of the runs, which `following` keeps up to date.

    Raises ResultsError, UsageError.
    """
    with contextlib.ExitStack() as stack:
        database = open_database(config)
        stack.callback(database.close)
        store = open_run_store(config.results_dir, config.database_url)
        stack.callback(store.database.dispose)
        yield Services(
            config=config,
            queue=Queue(database, config.limits),
            keys=Keys(database),
            schedules=Schedules(database),
            audit=Audit(database),
            store=store,
            tables=CachedTables(store),
            streams=Streams(config.limits.streams),
            worker_state=worker_state,
        )


def read_runs(services: Services) -> None:
    """Bring the index of these services up to date, once. Raises ResultsError."""
    Indexer(_index_of(services).database).refresh(within_s=None)


def following(services: Services, warn: Callable[[str], None]) -> Following:
    """Keeps the index of these services up to date within a `with` block, and the tables of the leaderboard ready.

    warn: is told what goes wrong, once each.
    """
    settled = False

    def prepare() -> None:
        nonlocal settled
        with contextlib.suppress(BenchError):  # whoever asks for them is told
            services.tables.refresh()
        if not settled:
            settled = True
            _keep_pauses_short()

    return Following(_index_of(services), warn=warn, then=prepare)


def _keep_pauses_short() -> None:
    """Python's garbage collector now and then walks through all objects, while everybody waits: 150 ms with a thousand
    runs. What is there by now stays as long as this process, so it is left out from now on. Once only: what is garbage
    at that moment stays too.
    """
    gc.collect()
    gc.freeze()


def _index_of(services: Services) -> SqlRunStore:
    if not isinstance(services.store, SqlRunStore):
        raise TypeError("only an index is kept up to date")
    return services.store
