"""What every request passes first: its form, its host, its sender, and how often they ask.

It stands before all routers, so an endpoint that forgot to ask for a role is still closed to strangers, and it puts
the same headers on every answer, also of errors and files.
"""

from __future__ import annotations

import logging
import secrets
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse

from results.plain_text import plain
from web.access.answers import answer, answer_error, is_for_programs
from web.access.error_page import follow_page
from web.access.hosts import Hosts, embedded, foreign_origin
from web.access.traffic import METHODS
from web.config import API_ROOT
from web.database.trouble import DatabaseUnavailable
from web.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from web.access.caller import Caller
    from web.access.guesses import Guesses
    from web.access.identity import Identity
    from web.access.rates import Rates
    from web.access.traffic import Traffic
    from web.config import ServeConfig

logger = logging.getLogger(__name__)
WITHOUT_KEY = frozenset({"/health", f"{API_ROOT}/health", "/login", "/enter", "/robots.txt", "/favicon.ico"})
FILES = "/static/"
STREAMS = "bench_runner.streams"  # in a scope, whether its answer is a stream: for the end of the server
MOST_LINES_BYTES = 16 << 10
MOST_BYTES_OF_STRANGERS = 8 << 10  # of a body, where no key is needed: a long form takes long to read
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: with it, browsers send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Door:
    """The middleware, outermost of ours."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        config: ServeConfig,
        identity: Identity,
        rates: Rates,
        guesses: Guesses,
        traffic: Traffic,
    ) -> None:
        self._app = app
        self._hosts = Hosts(config.allowed_hosts)
        self._most_bytes = config.limits.body_bytes
        self._identity = identity
        self._rates = rates
        self._guesses = guesses
        self._traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "no WebSocket here"})
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        asked = scope["method"]
        # A copy: uvicorn itself must see that it was HEAD, and leaves the body out.
        of_server = scope
        scope = {**scope, "state": {**scope.get("state", {}), "caller": None}}
        status: int | None = None

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                of_server[STREAMS] = _is_stream(message)
                _add_headers(message, scope)
                self._traffic.answered(scope, status, time.perf_counter() - began)
                await send(message)
                if asked == "HEAD":  # complete with that, so that an event stream ends too
                    await send({"type": "http.response.body", "body": b""})
            elif asked != "HEAD":
                await send(message)

        most_bytes = self._most_bytes
        if scope["path"] in WITHOUT_KEY:
            most_bytes = min(most_bytes, MOST_BYTES_OF_STRANGERS)
        body = _Body(receive, most_bytes)
        request = Request(scope, body.receive)
        try:
            refused: Response | None = None
            try:
                self._require_form(scope, request.headers)
                if asked == "HEAD":
                    scope["method"] = "GET"
                body.require_short(request.headers)
                refused = await self._admit(request)
            except ApiError as error:
                refused = answer_error(request, error)
            except DatabaseUnavailable as error:  # who asks isn't known yet, and isn't told where it is
                logger.warning("%s", plain(error.message))
                refused = answer_error(
                    request, ApiError(503, "the database can't be used for now; try again")
                )
            if refused is not None:
                await refused(scope, body.receive, send_on)
            else:
                await self._app(scope, body.receive, send_on)
        except Exception:
            error_id = secrets.token_hex(6)
            logger.exception("error %s: %s %s", error_id, plain(asked), plain(scope["path"])[:200])
            if status is None:
                text = f"something went wrong here; the server's log says more, under {error_id}"
                failed = answer(request, 500, text, error_id=error_id)
                await failed(scope, body.receive, send_on)

    def _require_form(self, scope: Scope, headers: Headers) -> None:
        """Raise ApiError unless it is a request to us, in the ordinary form."""
        if _lines_size(scope) > MOST_LINES_BYTES:
            raise ApiError(431, "the lines of the request are too long")
        hosts = headers.getlist("host")
        if len(hosts) != 1:
            raise ApiError(400, "exactly one Host header is needed")
        if scope["method"] not in METHODS:
            raise ApiError(405, "this server doesn't take that method")
        path = scope["path"]
        if not path.startswith("/") or path.startswith("//") or "\0" in path:
            raise ApiError(400, "the address of a request begins with one slash and has no NUL")
        if hosts[0] not in self._hosts:
            raise ApiError(
                421,
                "this server doesn't answer to that name; its operator can allow it with --allowed-host",
            )
        if headers.get("upgrade", "").lower() == "websocket":
            raise ApiError(400, "this server speaks no WebSocket")

    async def _admit(self, request: Request) -> Response | None:
        """Find out who asks, and count it. An answer instead of the page's, or None. Raises ApiError."""
        path, method, headers = request.scope["path"], request.method, request.headers
        if path.startswith(FILES) and method == "GET":
            return None
        found = await self._identity.of(request)
        if found.guessed:
            await self._guesses.count(request)
        caller, is_open = found.caller, path in WITHOUT_KEY
        if caller is None and not is_open:
            return _must_sign_in(request, guessed=found.guessed)
        is_embedded = embedded(headers, method) and "authorization" not in headers
        if is_embedded and not (is_open and method in SAFE_METHODS):
            raise ApiError(403, "another site's page may not use this one")
        if method not in SAFE_METHODS and (foreign := self._foreign(request)):
            raise ApiError(403, f"this may only come from our own pages: {foreign}")
        request.scope["state"]["caller"] = caller
        if caller is not None and not is_open:
            self._count(caller, path)
        return None

    def _foreign(self, request: Request) -> str | None:
        """Why a request that changes something isn't from our own pages, or a program with a key of its own."""
        headers = request.headers
        if "authorization" in headers and "origin" not in headers and "sec-fetch-site" not in headers:
            return None
        return foreign_origin(headers, f"{request.url.scheme}://{headers['host']}")

    def _count(self, caller: Caller, path: str) -> None:
        kind = "api" if is_for_programs(path) else "page"
        if (left_s := self._rates.take(caller.user, kind)) is not None:
            raise ApiError(429, "too many requests in a minute", retry_after_s=left_s)


class _Body:
    """The body of a request, which is refused while it is read, when it gets too long."""

    def __init__(self, receive: Receive, most_bytes: int) -> None:
        self._receive = receive
        self._most_bytes = most_bytes
        self._got = 0

    def require_short(self, headers: Mapping[str, str]) -> None:
        """Raise ApiError if it is announced as too long."""
        told = headers.get("content-length", "0")
        if not (told.isascii() and told.isdigit()):
            raise ApiError(400, "Content-Length is not a number")
        if len(told) > 18 or int(told) > self._most_bytes:
            raise self._too_long()

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._got += len(message.get("body", b""))
            if self._got > self._most_bytes:
                raise self._too_long()
        return message

    def _too_long(self) -> ApiError:
        return ApiError(413, f"a request's body has at most {self._most_bytes:,} bytes")


def _is_stream(message: Message) -> bool:
    """Whether the answer that begins is a stream of events, which doesn't end by itself."""
    return Headers(raw=message.get("headers", [])).get("content-type", "").startswith("text/event-stream")


def _lines_size(scope: Scope) -> int:
    """Bytes of its address and headers. h11 has a limit too, but only for what comes in several parts."""
    size = len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"")
    return size + sum(len(name) + len(value) for name, value in scope["headers"])


def _must_sign_in(request: Request, *, guessed: bool) -> Response:
    """401 for a program, the page to sign in for a person."""
    path, headers = request.url.path, request.headers
    if not is_for_programs(path) and request.method == "GET" and "authorization" not in headers:
        site = headers.get("sec-fetch-site", "").lower()
        if site in {"cross-site", "same-site"} and not embedded(headers, request.method):
            # Strict cookies don't come along with a link from elsewhere. From a page of ours they do.
            return follow_page()
        target = path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?next={quote(target, safe='/')}" if target != "/" else "/login", 303)
    text = "that key is wrong or was revoked" if guessed else "a key is needed: Authorization: Bearer KEY"
    return answer(request, 401, text, headers={"WWW-Authenticate": "Bearer"})


def _add_headers(message: Message, scope: Scope) -> None:
    headers = MutableHeaders(raw=message.setdefault("headers", []))
    for name, value in HEADERS.items():
        headers[name] = value
    if not (scope["path"].startswith(FILES) and "cache-control" in headers):
        headers["Cache-Control"] = "no-store"
