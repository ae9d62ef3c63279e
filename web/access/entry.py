"""How a browser gets its session: by the printed link, or by a key on the page to sign in; and how it ends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation at run time
from starlette.responses import RedirectResponse, Response

from web.access.caller import caller_of
from web.access.hosts import own_path
from web.access.sessions import Session
from web.errors import ApiError

if TYPE_CHECKING:
    from web.access.guesses import Guesses
    from web.access.identity import Identity

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Entrance:
    """What these endpoints work with."""

    identity: Identity
    guesses: Guesses


def entrance(request: Request) -> Entrance:
    """What the app uses for it."""
    found: Entrance = request.app.state.entrance
    return found


@router.get("/enter")
async def enter(request: Request, token: Annotated[str, Query(max_length=1000)]) -> Response:
    """Use the printed link, once. The token leaves the address by the redirect."""
    parts = entrance(request)
    session = await run_in_threadpool(parts.identity.sessions.use_link, token)
    if session is None and caller_of(request) is not None:
        return RedirectResponse("/", 303)  # the same browser again: its session goes on
    if session is None:
        await parts.guesses.count(request)
        raise ApiError(410, "it was used before, or is too old; `bench_runner.py keys link` prints a new one")
    there = RedirectResponse("/", 303)
    parts.identity.set_cookie(request, there, session)
    return there


@router.post("/login")
async def sign_in(
    request: Request,
    key: Annotated[str, Form(max_length=1000)] = "",
    next_path: Annotated[str, Form(alias="next", max_length=4000)] = "/",
) -> Response:
    """Begin a session with a key."""
    parts = entrance(request)
    found = await parts.identity.by_key(key.strip())
    if found.caller is None:
        await parts.guesses.count(request)
        target = own_path(next_path)
        return RedirectResponse(f"/login?failed=1&next={quote(target, safe='/')}", 303)
    there = RedirectResponse(own_path(next_path), 303)
    parts.identity.set_cookie(request, there, Session(found.caller.user, found.caller.key_id))
    return there


@router.post("/logout")
async def sign_out(request: Request) -> Response:
    """End the session, in this browser and wherever its cookie was copied to."""
    identity = entrance(request).identity
    await identity.end_session(request)
    there = RedirectResponse("/login", 303)
    identity.forget_cookie(request, there)
    return there
