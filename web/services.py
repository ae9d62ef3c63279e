"""What endpoints and pages work with: one object, made at start and never replaced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from results.compare.cached_tables import CachedTables
    from results.store.run_store import RunStore
    from web.access.streams import Streams
    from web.config import ServeConfig
    from web.jobs.audit import Audit
    from web.jobs.keys import Keys
    from web.jobs.queue import Queue
    from web.jobs.schedules import Schedules


@dataclass(frozen=True, kw_only=True)
class Services:
    """config: what the operator set. queue, keys, schedules, audit: the database of jobs. store: the runs. tables: of
    its leaderboards. streams: places for event streams. worker_state: says "ok", or what is wrong with the worker that
    `serve` started.
    """

    config: ServeConfig
    queue: Queue
    keys: Keys
    schedules: Schedules
    audit: Audit
    store: RunStore
    tables: CachedTables
    streams: Streams
    worker_state: Callable[[], str]


def get_services(request: Request) -> Services:
    """The services of the app that answers this request."""
    found: Services = request.app.state.services
    return found


ServicesDep = Annotated[Services, Depends(get_services)]
