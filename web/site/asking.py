"""Ask the application for a page within this process: no server, no port, no key."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import unquote, urlsplit

from web.access.caller import Caller
from web.access.role import Role

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from fastapi import FastAPI

_READER = Caller("", Role.READ, "")


class Answer(NamedTuple):
    """kind: the media type, without parameters."""

    status: int
    kind: str
    body: bytes


class Asker:
    """As a context manager; `get` asks for one address after the other."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._loop = asyncio.new_event_loop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def get(self, address: str) -> Answer:
        """The answer to a GET of a path with its query."""
        return self._loop.run_until_complete(self._get(address))

    async def _get(self, address: str) -> Answer:
        parts = urlsplit(address)
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "server": ("127.0.0.1", 80),
            "client": None,
            "root_path": "",
            "path": unquote(parts.path),
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "headers": [(b"host", b"127.0.0.1")],
            "state": {"caller": _READER, "is_site": True},
        }
        started: dict[str, Any] = {}
        body = bytearray()

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                started.update(message)
            elif message["type"] == "http.response.body":
                body.extend(message.get("body", b""))

        await self._app(scope, receive, send)
        headers = {name.lower(): value for name, value in started["headers"]}
        kind = headers.get(b"content-type", b"").decode().partition(";")[0]
        return Answer(started["status"], kind, bytes(body))
