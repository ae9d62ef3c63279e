"""The dashboard over recorded runs, without jobs: what the tests of pages share."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from results.compare.cached_tables import CachedTables
from results.store.reading.folder_run_store import FolderRunStore
from tests.web import door
from web.access.role import Role
from web.app import create_app
from web.config import Limits

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi import FastAPI
    from starlette.testclient import TestClient


def page_app(results: Path, state: Path) -> FastAPI:
    """The app. Nobody is slowed down."""
    made = door.services(state, limits=Limits(requests_per_minute=100_000))
    store = FolderRunStore(results)
    config = replace(made.config, results_dir=results)
    services = replace(made, config=config, store=store, tables=CachedTables(store))
    return create_app(services, hold_back_s=0.0, remember_s=0.0)


def reader(app: FastAPI, role: Role = Role.READ) -> TestClient:
    """Somebody who may read."""
    return door.client(app, door.key(app, role))
