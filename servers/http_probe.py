"""One small request to a server, answered as a whole within a time, or not at all.

Plain HTTP goes without a pool, retries or a proxy (HTTP_PROXY breaks loopback checks); HTTPS, which is a server
elsewhere, as everybody asks it: proxies, certificates, redirects.
"""

from __future__ import annotations

import http.client
import io
import json
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests

    from settings.base_url import BaseUrl

MAX_BODY_BYTES = 16 * 1024 * 1024  # far above a list of all models of a provider, or a page of metrics
_MOST = 2**53  # above it JSON's numbers are no whole ones any more, and a record can't hold them


@dataclass(frozen=True)
class Answer:
    """Status code and body of a response. is_cut: the body went on after MAX_BODY_BYTES."""

    status: int
    body: bytes
    is_cut: bool = False

    def text(self, limit: int = 300) -> str:
        """The body's beginning in one line, for messages."""
        if self.is_cut:
            return f"an answer of more than {MAX_BODY_BYTES >> 20} MiB"
        text = self.body[: 8 * limit].decode(errors="replace")
        return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:limit]

    def page(self) -> str:
        """The whole body as text."""
        return self.body.decode(errors="replace")

    def json(self) -> Any:
        """The body as JSON; None when it is none, or nested deeper than can be read."""
        try:
            return None if self.is_cut else json.loads(self.body)
        except (ValueError, RecursionError):
            return None


def whole(value: Any, *, most: int = _MOST) -> int | None:
    """A server's count of something, from 1 on; None for whatever else stands there."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most else None


def request(
    base_url: BaseUrl, path: str, *, api_key: str | None = None, body: Any = None, timeout_s: float = 2.0
) -> Answer | None:
    """GET path, or POST body as JSON. None: nothing answered, or not HTTP, or not all of it within timeout_s.

    Looking up a name may take longer: the system's resolver has a time limit of its own.
    """
    ends = time.monotonic() + timeout_s
    if base_url.scheme == "https":
        return _elsewhere(base_url.url + path, api_key, body, timeout_s, ends)
    headers = {"Connection": "close"}
    if api_key:
        headers["Authorization"] = f"Bearer {api_key}"
    if body is not None:
        headers["Content-Type"] = "application/json"
    connection = http.client.HTTPConnection(base_url.host, base_url.port, timeout=timeout_s)
    response = None
    try:
        _connect(connection, ends)
        connection.request(
            "GET" if body is None else "POST",
            base_url.path + path,
            None if body is None else json.dumps(body),
            headers,
        )
        response = connection.getresponse()
        return _answer(response.status, response.read(MAX_BODY_BYTES + 1))
    except (OSError, http.client.HTTPException):
        return None
    finally:
        if response is not None:
            response.close()
        connection.close()


def _connect(connection: http.client.HTTPConnection, ends: float) -> None:
    """As its own `connect`, but all addresses share the time, and a signal that raises leaves no open socket."""
    trouble: OSError = OSError("no address")
    for *kind, _, address in socket.getaddrinfo(connection.host, connection.port, type=socket.SOCK_STREAM):
        sock = connection.sock = socket.socket(*kind)
        try:
            sock.settimeout(_left_s(ends))
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            sock.close()
            trouble = error
        else:
            connection.sock = _Timed(sock, ends)
            return
    raise trouble


def _elsewhere(url: str, api_key: str | None, body: Any, timeout_s: float, ends: float) -> Answer | None:
    import requests  # a tenth of a second to import: only who needs it pays
    import urllib3

    headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
    method = "GET" if body is None else "POST"
    try:
        with requests.Session() as session:
            for scheme in ("https://", "http://"):
                session.mount(scheme, _timed_adapter(ends))
            response = session.request(
                method, url, json=body, headers=headers, timeout=timeout_s, stream=True
            )
            return _answer(response.status_code, response.raw.read(MAX_BODY_BYTES + 1, decode_content=True))
    except (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError):
        return None
    except ValueError:  # a redirect to what is no URL
        return None


def _answer(status: int, body: bytes) -> Answer:
    return Answer(status, body[:MAX_BODY_BYTES], is_cut=len(body) > MAX_BODY_BYTES)


class _Timed:
    """A socket until a point in time: the timeout of a plain one begins anew with each byte that arrives."""

    def __init__(self, sock: socket.socket, ends: float) -> None:
        self._sock = sock
        self._ends = ends

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def makefile(self, _mode: str, *_: Any, **__: Any) -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self._sock, self._ends))

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(_left_s(self._ends))
        self._sock.sendall(data)


class _Incoming(io.RawIOBase):
    def __init__(self, sock: socket.socket, ends: float) -> None:
        super().__init__()
        self._sock = sock
        self._file = sock.makefile("rb", buffering=0)
        self._ends = ends

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(_left_s(self._ends))
        return self._file.readinto(buffer)

    def close(self) -> None:
        self._file.close()
        super().close()


def _left_s(ends: float) -> float:
    left_s = ends - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("the answer was not complete in time")
    return left_s


def _timed_adapter(ends: float) -> requests.adapters.HTTPAdapter:
    import requests

    class Adapter(requests.adapters.HTTPAdapter):
        def get_connection_with_tls_context(self, *args: Any, **facts: Any) -> Any:
            pool: Any = super().get_connection_with_tls_context(*args, **facts)

            class Connection(pool.ConnectionCls):  # type: ignore[misc]
                sock: Any

                def connect(self) -> None:
                    super().connect()
                    self.sock = _Timed(self.sock, ends)

            pool.ConnectionCls = Connection
            return pool

    return Adapter()
