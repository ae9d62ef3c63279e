"""Who sent a request: by the key in its header, or the session in its cookie."""

from __future__ import annotations

import time
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool

from web.access.caller import Caller
from web.access.role import Role

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from web.access.sessions import Session, Sessions

REMEMBER_S = 1.0  # how long a revoked key may still be taken
MOST_REMEMBERED = 1000
MOST_KEY_CHARACTERS = 200
LINK = "link"


@dataclass(frozen=True)
class Found:
    """caller: None if there is no key, or a wrong one. guessed: whether there was a wrong one."""

    caller: Caller | None
    guessed: bool = False


class Identity:
    """Asks the database, and remembers right keys for a moment, since a page's requests come in bursts."""

    def __init__(self, keys: Any, sessions: Sessions, port: int, *, remember_s: float = REMEMBER_S) -> None:
        self.sessions = sessions
        self._keys = keys
        self._port = port
        self._remember_s = remember_s
        self._known: dict[bytes, tuple[Caller, float]] = {}

    async def of(self, request: Request) -> Found:
        """Who sent it."""
        given = request.headers.get("authorization")
        if given is not None:
            scheme, _, secret = given.partition(" ")
            if scheme.lower() != "bearer":
                return Found(None)
            return await self.by_key(secret.strip())
        value = request.cookies.get(self.cookie_name(request))
        session = self.sessions.read_cookie(value) if value else None
        return Found(None if session is None else await self.by_session(session))

    async def by_key(self, secret: str) -> Found:
        """Whose key it is."""
        if not secret or len(secret) > MOST_KEY_CHARACTERS or not secret.isascii():
            return Found(None, guessed=True)
        caller = await self._remembered(f"key {secret}", lambda: self._keys.find(secret))
        return Found(caller, guessed=caller is None)

    async def by_session(self, session: Session) -> Caller | None:
        """Whose session it is, unless the key that it began with was revoked."""
        if session.key_id == LINK:
            return Caller(session.user, Role.ADMIN, LINK)
        return await self._remembered(f"id {session.key_id}", lambda: self._keys.get(session.key_id))

    def cookie_name(self, request: Request) -> str:
        """By port, since browsers send a host's cookies to each of its ports; bound to HTTPS where that is used."""
        return f"__Host-bench_{self._port}" if request.url.scheme == "https" else f"bench_{self._port}"

    def set_cookie(self, request: Request, answer: Response, session: Session) -> None:
        """Begin the session in the browser."""
        answer.set_cookie(
            self.cookie_name(request),
            self.sessions.cookie(session),
            path="/",
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )

    async def end_session(self, request: Request) -> None:
        """End the session of the request's cookie, for good."""
        if value := request.cookies.get(self.cookie_name(request)):
            await run_in_threadpool(self.sessions.end, value)

    def forget_cookie(self, request: Request, answer: Response) -> None:
        """End the session in the browser."""
        answer.delete_cookie(
            self.cookie_name(request),
            path="/",
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )

    async def _remembered(self, what: str, find: Callable[[], Any]) -> Caller | None:
        digest = sha256(what.encode()).digest()
        now = time.monotonic()
        known = self._known.get(digest)
        if known is not None and known[1] > now:
            return known[0]
        key = await run_in_threadpool(find)
        if key is None:
            self._known.pop(digest, None)
            return None
        caller = Caller(key.user, Role(key.role), key.key_id)
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        self._known[digest] = (caller, now + self._remember_s)
        return caller
