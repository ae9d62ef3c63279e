"""What isn't an ordinary request to us is refused on the socket, in our words, and holds nothing up."""

from __future__ import annotations

import contextlib
import json
import queue
import select
import socket
import threading

import pytest
from prometheus_client import generate_latest

from tests.web.door import app_of, key
from tests.web.live_door import PATIENCE_S, ask, connect, protocol, read_all, read_until, serving, status_of
from web.access.door import HEADERS

CLOSE = b"Connection: close\r\n"
HOST = b"Host: 127.0.0.1:8765\r\n"


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    return app_of(tmp_path_factory.mktemp("door"))


@pytest.fixture(scope="module")
def port(app):
    with serving(app, protocol(rest_s=PATIENCE_S)) as found:
        yield found


REFUSED = {
    "two hosts": (b"GET /health HTTP/1.1\r\n" + HOST + HOST + CLOSE, 400),
    "two different hosts": (b"GET /health HTTP/1.1\r\n" + HOST + b"Host: evil.example\r\n" + CLOSE, 400),
    "no host": (b"GET /health HTTP/1.1\r\n" + CLOSE, 400),
    "no host in HTTP/1.0": (b"GET /health HTTP/1.0\r\n", 400),
    "a whole address": (b"GET http://evil.example/health HTTP/1.1\r\n" + HOST + CLOSE, 400),
    "a whole address of ours": (b"GET http://127.0.0.1:8765/metrics HTTP/1.1\r\n" + HOST + CLOSE, 400),
    "two slashes": (b"GET //evil.example/ HTTP/1.1\r\n" + HOST + CLOSE, 400),
    "a NUL": (b"GET /runs/%00 HTTP/1.1\r\n" + HOST + CLOSE, 400),
    "another host": (b"GET /health HTTP/1.1\r\nHost: evil.example\r\n" + CLOSE, 421),
    "another host of ours": (b"GET /health HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\n" + CLOSE, 421),
    "a host with a user": (b"GET /health HTTP/1.1\r\nHost: 127.0.0.1@evil.example\r\n" + CLOSE, 421),
    "TRACE": (b"TRACE /health HTTP/1.1\r\n" + HOST + CLOSE, 405),
    "CONNECT": (b"CONNECT evil.example:80 HTTP/1.1\r\n" + HOST + CLOSE, 405),
    "OPTIONS for all": (b"OPTIONS * HTTP/1.1\r\n" + HOST + CLOSE, 400),
    "WebSocket": (
        b"GET /health HTTP/1.1\r\n" + HOST + b"Connection: Upgrade, close\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        400,
    ),
    "two lengths": (b"POST /login HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\nContent-Length: 5\r\n", 400),
    "a long line": (b"GET /health HTTP/1.1\r\n" + HOST + CLOSE + b"X: " + b"a" * 20_000 + b"\r\n", 431),
    "a long line that isn't complete": (b"GET /health HTTP/1.1\r\n" + HOST + CLOSE + b"X: " + b"a" * 20_000, 431),
    "a long address": (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n" + HOST + CLOSE, 431),
    "nonsense": (b"\x16\x03\x01\x02\x00\x01\x00\r\n", 400),
}  # fmt: skip


def test_made_up_methods_are_counted_as_one(app, port):
    for number in range(3):
        assert status_of(ask(port, f"MADEUP{number} / HTTP/1.0\r\n\r\n".encode())) == 400
    assert "MADEUP" not in generate_latest(app.state.traffic.registry).decode()


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_with_our_headers(port, case):
    raw, status = REFUSED[case]
    found = ask(port, raw + b"\r\n")
    head, _, body = found.partition(b"\r\n\r\n")
    assert status_of(found) == status, found
    assert all(f"{name}: {value}".lower().encode() in head.lower() for name, value in HEADERS.items())
    if b"application/json" in head:
        assert json.loads(body)["detail"]


def test_a_length_beside_chunks_never_hides_a_second_request(port):
    """Either is refused, or the second request is answered as one: nothing lies hidden in a body."""
    hidden = b"0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n"
    found = ask(
        port,
        b"POST /login HTTP/1.1\r\n" + HOST + CLOSE + b"Content-Length: %d\r\n" % len(hidden)
        + b"Transfer-Encoding: chunked\r\n\r\n" + hidden,
    )  # fmt: skip
    assert status_of(found) in {400, 403}
    assert b" 200 " not in found


def test_head_has_the_headers_alone(port):
    found = ask(port, b"HEAD /health HTTP/1.1\r\n" + HOST + CLOSE + b"\r\n")
    assert status_of(found) == 200
    assert found.endswith(b"\r\n\r\n")


def test_a_body_is_refused_while_it_is_read(app, port):
    """One that says its length at once, one in chunks as soon as it is too long: the rest is never waited for."""
    secret = key(app).encode()
    start = b"POST /login HTTP/1.1\r\n" + HOST + b"Authorization: Bearer " + secret + b"\r\n"
    start += b"Content-Type: application/x-www-form-urlencoded\r\n"
    with connect(port) as connection:
        connection.sendall(start + b"Content-Length: 99999999999\r\n\r\n")
        assert status_of(connection.recv(4096)) == 413
    with connect(port) as connection:
        connection.sendall(start + b"Transfer-Encoding: chunked\r\n\r\n")
        connection.sendall(b"1000\r\nk=" + b"a" * (0x1000 - 2) + b"\r\n")
        assert not select.select([connection], [], [], 0.2)[0]
        while not select.select([connection], [], [], 0)[0]:
            connection.sendall(b"1000\r\n" + b"a" * 0x1000 + b"\r\n")
        assert status_of(connection.recv(4096)) == 413


async def _never(scope, receive, send):
    """An app that waits for its body."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"done"})


def test_an_answer_is_sent_at_once():
    """Its body never waits until the client acknowledged its lines: that took 40 ms on a connection that is kept."""
    options = queue.Queue()

    class Noting(protocol()):
        def connection_made(self, transport):
            super().connection_made(transport)
            here = transport.get_extra_info("socket")
            options.put(here.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    with serving(_never, Noting) as port, connect(port):
        assert options.get(timeout=PATIENCE_S)


def test_lines_that_trickle_end_the_connection():
    """Also after a first request on the same connection."""
    with serving(_never, protocol(header_s=0.3)) as port:
        for before in (b"", b"GET /a HTTP/1.1\r\n" + HOST + b"\r\n"):
            with connect(port) as connection:
                connection.sendall(before)
                if before:
                    read_until(connection, b"done")
                with contextlib.suppress(ConnectionError):
                    connection.sendall(b"GET /b HTTP/1.1\r\nX: ")
                assert b"200" not in read_all(connection)


def test_a_body_that_trickles_ends_the_connection():
    with serving(_never, protocol(body_s=0.3)) as port, connect(port) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\nabc")
        assert read_all(connection) == b""


def test_an_answer_that_isnt_taken_ends_the_connection():
    ended = threading.Event()

    async def much(scope, receive, send):
        """An app that sends more than any socket holds."""
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1000):
            await send({"type": "http.response.body", "body": b"a" * 100_000, "more_body": True})
        ended.set()

    with serving(much, protocol(take_s=0.3)) as port, connect(port) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        assert ended.wait(PATIENCE_S)


def test_more_connections_than_there_are_places_are_closed():
    with serving(_never, protocol(most_connections=3)) as port, contextlib.ExitStack() as stack:
        held = [stack.enter_context(connect(port)) for _ in range(3)]
        for connection in held:  # each is known to the server once it has answered
            connection.sendall(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
            read_until(connection, b"done")
        assert ask(port, b"GET / HTTP/1.1\r\n" + HOST + b"\r\n") == b""
