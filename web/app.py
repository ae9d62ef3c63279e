"""Puts the parts of the web application together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from results import __version__
from web import operations
from web.access import entry
from web.access.answers import handle_errors
from web.access.door import Door
from web.access.guesses import Guesses
from web.access.identity import Identity
from web.access.rates import Rates
from web.access.sessions import SECRET_FILE, Sessions
from web.access.traffic import Traffic
from web.access.wrong_keys import WrongKeys
from web.api.endpoints import ROUTERS as API_ROUTERS
from web.config import API_ROOT
from web.openapi import RESPONSES, describe
from web.pages import result_pages, work_pages
from web.state_metrics import StateMetrics

if TYPE_CHECKING:
    from fastapi import APIRouter

    from web.services import Services

# Every endpoint and page; each module has its own.
ROUTERS: tuple[APIRouter, ...] = (
    operations.router,
    entry.router,
    *API_ROUTERS,
    *result_pages.ROUTERS,
    *work_pages.ROUTERS,
)


def create_app(
    services: Services, *, hold_back_s: float = 1.0, remember_s: float = 1.0, noted_after_s: float = 60.0
) -> FastAPI:
    """The application, without a server. hold_back_s: how long somebody who guesses keys waits. remember_s: how long
    a key's holder is remembered without asking the database. noted_after_s: how long wrong keys are counted for a row
    of the audit log. Raises ResultsError if the sessions can't be read.
    """
    app = FastAPI(
        title="bench_runner",
        version=__version__,
        openapi_url=f"{API_ROOT}/openapi.json",
        docs_url=None,
        redoc_url=None,
        responses=RESPONSES,
        redirect_slashes=False,
    )
    config = services.config
    sessions = Sessions(config.state_dir / SECRET_FILE)
    sessions.require_usable()
    identity = Identity(services.keys, sessions, config.port, remember_s=remember_s)
    rates = Rates(config.limits.requests_per_minute)
    wrong_keys = WrongKeys(services.audit.note, after_s=noted_after_s)
    guesses = Guesses(rates, wrong_keys, hold_back_s=hold_back_s)
    traffic = Traffic()
    traffic.registry.register(StateMetrics(services))
    app.state.services = services
    app.state.entrance = entry.Entrance(identity, guesses)
    app.state.traffic = traffic
    handle_errors(app)
    describe(app)
    for router in ROUTERS:
        app.include_router(router)
    app.add_middleware(Door, config=config, identity=identity, rates=rates, guesses=guesses, traffic=traffic)
    if config.proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=[*config.proxies])
    return app
