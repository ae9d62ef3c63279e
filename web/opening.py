"""Open what the web application works with, from what the operator set."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from results.compare.cached_tables import CachedTables
from results.store.reading.folder_run_store import FolderRunStore
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
    """Open the database, which is made if there is none, and the runs. Raises ResultsError, UsageError."""
    config.results_dir.mkdir(parents=True, exist_ok=True)
    database = open_database(config)
    try:
        store = FolderRunStore(config.results_dir)
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
    finally:
        database.close()
