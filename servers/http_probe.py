"""One small request to a server: plain HTTP without a pool, retries or a proxy (HTTP_PROXY breaks loopback checks);
HTTPS, which is somebody's server elsewhere, as everybody asks it: proxies, certificates, redirects.
"""

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
    if url.scheme == "https":
        return _elsewhere(base_url.rstrip("/") + path, api_key, body, timeout_s)
    headers = {"Connection": "close"}
    if api_key:
        headers["Authorization"] = f"Bearer {api_key}"
    if body is not None:
        headers["Content-Type"] = "application/json"
    connection = http.client.HTTPConnection(url.hostname or "127.0.0.1", url.port, timeout=timeout_s)
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


def _elsewhere(url: str, api_key: str | None, body: Any, timeout_s: float) -> Answer | None:
    import requests  # a tenth of a second to import: only who needs it pays

    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    method = "GET" if body is None else "POST"
    try:
        with requests.request(
            method, url, json=body, headers=headers, timeout=timeout_s, stream=True
        ) as response:
            return Answer(response.status_code, response.raw.read(MAX_BODY_BYTES, decode_content=True))
    except (requests.RequestException, OSError):
        return None
