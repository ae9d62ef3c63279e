"""One small HTTP request to a server. No pool, no retries, no proxy: HTTP_PROXY breaks loopback checks."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

MAX_BODY_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Answer:
    """Status code and body of a response."""

    status: int
    body: bytes

    def text(self, limit: int = 300) -> str:
        """The body's beginning in one line, for messages."""
        return " ".join(self.body.decode(errors="replace").split())[:limit]

    def json(self) -> Any:
        """The body as JSON; None when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


def request(
    base_url: str, path: str, *, api_key: str | None = None, body: Any = None, timeout_s: float = 2.0
) -> Answer | None:
    """GET path, or POST body as JSON. None: nothing answered, or not HTTP, or not in time."""
    url = urlsplit(base_url)
    headers = {"Connection": "close"}
    if api_key:
        headers["Authorization"] = f"Bearer {api_key}"
    if body is not None:
        headers["Content-Type"] = "application/json"
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.hostname or "127.0.0.1", url.port, timeout=timeout_s)
    try:
        connection.request(
            "GET" if body is None else "POST",
            url.path.rstrip("/") + path,
            None if body is None else json.dumps(body),
            headers,
        )
        response = connection.getresponse()
        return Answer(response.status, response.read(MAX_BODY_BYTES))
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
