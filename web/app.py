"""Puts the parts of the web application together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from pydantic import BaseModel
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
from web.api import endpoints
from web.config import API_ROOT
from web.pages import result_pages
from web.pages.answers import grid, pair, sample

if TYPE_CHECKING:
    from fastapi import APIRouter

    from web.services import Services

# Every endpoint and page; each module has its own.
ROUTERS: tuple[APIRouter, ...] = (
    operations.router,
    entry.router,
    *endpoints.ROUTERS,
    *result_pages.ROUTERS,
    grid.router,
    pair.router,
    sample.router,
)


class Mistake(BaseModel):
    """field: such as `config.model`."""

    field: str
    what: str


class ErrorAnswer(BaseModel):
    """detail: what is wrong, in words. errors: each mistake of a request. retry_after: seconds."""

    detail: str
    errors: list[Mistake] | None = None
    retry_after: int | None = None


_ERRORS = {
    400: "A mistake in the request; every one is told",
    401: "No key, or a wrong one",
    403: "The key's role is too low, or another site's page sent it",
    413: "The body is too long",
    429: "Too many; `retry_after` says when to ask again",
    500: "An error of ours, under an id in the server's log",
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": text} for status, text in _ERRORS.items()
}


def create_app(services: Services, *, hold_back_s: float = 1.0, remember_s: float = 1.0) -> FastAPI:
    """The application, without a server. hold_back_s: how long somebody who guesses keys waits. remember_s: how long
    a key's holder is remembered without asking the database.
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
    identity = Identity(services.keys, sessions, config.port, remember_s=remember_s)
    rates = Rates(config.limits.requests_per_minute)
    guesses = Guesses(rates, hold_back_s=hold_back_s)
    traffic = Traffic()
    app.state.services = services
    app.state.entrance = entry.Entrance(identity, guesses)
    app.state.traffic = traffic
    handle_errors(app)
    for router in ROUTERS:
        app.include_router(router)
    app.add_middleware(Door, config=config, identity=identity, rates=rates, guesses=guesses, traffic=traffic)
    if config.proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=[*config.proxies])
    return app
