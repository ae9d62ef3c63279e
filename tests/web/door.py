"""An app with an empty database, and clients that ask it: what the tests of `serve` share."""

from __future__ import annotations

import tempfile
import weakref
from functools import cache
from pathlib import Path

from starlette.testclient import TestClient

from results.compare.cached_tables import CachedTables
from results.store.reading.folder_run_store import FolderRunStore
from web.access.role import Role
from web.access.streams import Streams
from web.app import create_app
from web.config import Limits, ServeConfig
from web.database.database import open_database
from web.jobs.audit import Audit
from web.jobs.keys import Keys
from web.jobs.queue import Queue
from web.jobs.schedules import Schedules
from web.services import Services

HOST = "127.0.0.1:8765"
HERE = f"http://{HOST}"


@cache
def empty_database():
    """The bytes of one: making its tables takes a while."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        open_database(ServeConfig(results_dir=state, state_dir=state)).close()
        return (state / "serve.sqlite3").read_bytes()


def services(tmp_path, *, limits=None, **config):
    """Real ones, over the runs in tmp_path."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700, exist_ok=True)
    if not (state / "serve.sqlite3").exists():
        (state / "serve.sqlite3").write_bytes(empty_database())
    found = ServeConfig(results_dir=tmp_path, state_dir=state, limits=limits or Limits(), **config)
    database = open_database(found)
    queue = Queue(database, found.limits)
    weakref.finalize(queue, database.close)
    store = FolderRunStore(tmp_path)
    return Services(
        config=found,
        keys=Keys(database),
        queue=queue,
        schedules=Schedules(database),
        audit=Audit(database),
        store=store,
        tables=CachedTables(store),
        streams=Streams(found.limits.streams),
        worker_state=lambda: "ok",
    )


def app_of(tmp_path, *, limits=None, **config):
    return create_app(services(tmp_path, limits=limits, **config), hold_back_s=0.0, remember_s=0.0)


def client(app, secret=None, base=HERE, **headers):
    sent = {"Authorization": f"Bearer {secret}"} if secret else {}
    return TestClient(app, base_url=base, headers=sent | headers, follow_redirects=False)


def key(app, role=Role.READ, user="ada"):
    return app.state.services.keys.add(user, role)[1]
