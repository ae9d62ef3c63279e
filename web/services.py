"""What endpoints and pages work with: one object, made at start and never replaced."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from web.api.job_feed import JobFeeds
from web.api.kept_answers import KeptAnswers
from web.pages.work.machine_reader import MachineReader
from web.working.progress import JobReaders

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

    @functools.cached_property
    def readers(self) -> JobReaders:
        """How far jobs are; one for all threads."""
        return JobReaders(self.config)

    @functools.cached_property
    def feeds(self) -> JobFeeds:
        """What event streams tell."""
        return JobFeeds(self.queue.get, self.readers)

    @functools.cached_property
    def answers(self) -> KeptAnswers:
        """Those that are given again until a run changes."""
        return KeptAnswers()

    @functools.cached_property
    def machine(self) -> MachineReader:
        """What this machine does now; it reads only while somebody asks."""
        return MachineReader(self.config.results_dir)


async def get_services(request: Request) -> Services:
    """The services of the app that answers this request. Asynchronous, as a thread would cost more than this does."""
    found: Services = request.app.state.services
    return found


ServicesDep = Annotated[Services, Depends(get_services)]
