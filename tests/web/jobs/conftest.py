"""A queue on SQLite, and the same on a real PostgreSQL (marked `web`), with a clock that the test moves."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from web.config import Limits, ServeConfig
from web.database.database import open_database
from web.database.tables import metadata
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


@pytest.fixture(scope="session")
def new_file(tmp_path_factory):
    """An SQLite file as it is made new; making it takes a while."""
    folder = tmp_path_factory.mktemp("new")
    config = ServeConfig(results_dir=folder, state_dir=folder)
    open_database(config).close()
    return folder / "serve.sqlite3"


@pytest.fixture(scope="session")
def one_url(postgres):
    """A database that tests use one after the other; a new one for each would take longer than the test."""
    return postgres.new_database()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.web)])
def bench(request, tmp_path: Path, new_file: Path):
    url = request.getfixturevalue("one_url") if request.param == "postgresql" else None
    clock = Clock()
    config = ServeConfig(results_dir=tmp_path, state_dir=tmp_path / "state", database_url=url)
    if url is None:
        config.state_dir.mkdir()
        shutil.copy(new_file, config.state_dir)
    made = Bench(config=config, database=open_database(config, clock=clock), clock=clock)
    if url is None:
        # What a power cut costs isn't tested here.
        event.listen(made.database.engine, "connect", lambda raw, _: raw.execute("PRAGMA synchronous = OFF"))
        made.database.close()  # it opens its connections anew
    else:
        with made.database.decide() as connection:
            connection.exec_driver_sql(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY")
    yield made
    for database in (made.database, *made.opened):
        database.close()
