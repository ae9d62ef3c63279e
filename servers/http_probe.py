"""Send one small request to a server, with a time limit for the whole answer.

Plain HTTP uses no pool, retries or proxy (HTTP_PROXY breaks loopback checks). HTTPS, which means a server elsewhere, is
used in the usual way: proxies, certificates, redirects.
"""

from __future__ import annotations

import http.client
import io
import json
import socket
import time
from typing import TYPE_CHECKING, Any

import msgspec

from settings.secrets import without_key

if TYPE_CHECKING:
    import requests

    from settings.base_url import BaseUrl

MAX_BODY_BYTES = 16 * 1024 * 1024  # far more than a provider's list of models, or a page of metrics
_MOST = 2**53  # JSON numbers above it are not exact, and a record can't hold them


class Answer(msgspec.Struct, frozen=True):
    """Status code and body of a response. is_cut: whether the body was longer than MAX_BODY_BYTES."""

    status: int
    body: bytes
    is_cut: bool = False

    def text(self, limit: int = 300) -> str:
        """The beginning of the body in one line, for messages."""
        if self.is_cut:
            return f"an answer of more than {MAX_BODY_BYTES >> 20} MiB"
        text = self.body[: 8 * limit].decode(errors="replace")
        return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:limit]

    def page(self) -> str:
        """The whole body as text."""
        return self.body.decode(errors="replace")

    def json(self) -> Any:
        """The body as JSON; None if it isn't JSON, or is nested too deeply."""
        try:
            return None if self.is_cut else json.loads(self.body)
        except (ValueError, RecursionError):
            return None


def whole(value: Any, *, most: int = _MOST) -> int | None:
    """A server's count, at least 1; None for any other value."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= most else None


def request(
    base_url: BaseUrl, path: str, *, api_key: str | None = None, body: Any = None, timeout_s: float = 2.0
) -> Answer | None:
    """GET path, or POST body as JSON. None without a complete HTTP answer within timeout_s.

    Looking up a host name may take longer, because the system's resolver has its own time limit.
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
        return _answer(response.status, response.read(MAX_BODY_BYTES + 1), api_key)
    except (OSError, http.client.HTTPException):
        return None
    finally:
        if response is not None:
            response.close()
        connection.close()


def _connect(connection: http.client.HTTPConnection, ends: float) -> None:
    """Like its own `connect`, but all addresses share the time limit, and a signal that raises leaves no open
    socket.
    """
    trouble: OSError = OSError("no address")
    host = connection.host
    name = host.encode() if host.isascii() else host  # what encodes a text takes 2 ms to load
    for *kind, _, address in socket.getaddrinfo(name, connection.port, type=socket.SOCK_STREAM):
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
    import requests  # importing takes a tenth of a second, so only when needed
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
            read = response.raw.read(MAX_BODY_BYTES + 1, decode_content=True)
            return _answer(response.status_code, read, api_key)
    except (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError):
        return None
    except ValueError:  # a redirect to an invalid URL
        return None


def _answer(status: int, body: bytes, api_key: str | None) -> Answer:
    return Answer(status, without_key(body[:MAX_BODY_BYTES], api_key), is_cut=len(body) > MAX_BODY_BYTES)


class _Timed:
    """A socket with a deadline. A plain socket's timeout starts again with each byte that arrives."""

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
