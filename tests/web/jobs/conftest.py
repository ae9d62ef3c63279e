"""A queue on SQLite, and the same on a real PostgreSQL (marked `web`), with a clock that the test moves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from web.config import Limits, ServeConfig
from web.database.database import open_database
from web.jobs.job import Job, NewJob, Priority
from web.jobs.queue import Queue

if TYPE_CHECKING:
    from pathlib import Path

    from web.database.database import Database


@dataclass
class Clock:
    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Bench:
    """A queue, its database and its clock."""

    config: ServeConfig
    database: Database
    clock: Clock
    opened: list[Database] = field(default_factory=list)

    def queue(self, **limits) -> Queue:
        return Queue(self.database, Limits(**limits))

    def again(self) -> Database:
        """The same database, opened once more, as another process does."""
        self.opened.append(open_database(self.config, clock=self.clock))
        return self.opened[-1]


def new_job(**changes) -> NewJob:
    return NewJob(**{"user": "ada", "suite": "human_eval", "model_name": "m", "manifest": "{}"} | changes)


def add(queue: Queue, *, priority: Priority = Priority.NORMAL, **changes) -> Job:
    return queue.add(new_job(priority=priority, **changes))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.web)])
def bench(request, tmp_path: Path):
    url = request.getfixturevalue("postgres").new_database() if request.param == "postgresql" else None
    clock = Clock()
    config = ServeConfig(results_dir=tmp_path, state_dir=tmp_path / "state", database_url=url)
    made = Bench(config=config, database=open_database(config, clock=clock), clock=clock)
    yield made
    for database in (made.database, *made.opened):
        database.close()
