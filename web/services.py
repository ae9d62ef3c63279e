"""What endpoints and pages work with: one object, made at start and never replaced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from web.access.streams import Streams
    from web.config import ServeConfig


@dataclass(frozen=True, kw_only=True)
class Services:
    """config: what the operator set. queue, keys, schedules, audit: the database of jobs. store: the runs, as a
    RunStore. tables: `results.compare.cached_tables.tables` over that store. streams: places for event streams.
    worker_state: says "ok", or what is wrong with the worker that `serve` started.
    """

    config: ServeConfig
    queue: Any
    keys: Any
    schedules: Any
    audit: Any
    store: Any
    tables: Any
    streams: Streams
    worker_state: Callable[[], str]


def get_services(request: Request) -> Services:
    """The services of the app that answers this request."""
    found: Services = request.app.state.services
    return found


ServicesDep = Annotated[Services, Depends(get_services)]
