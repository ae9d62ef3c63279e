"""An app on a real socket, in a thread, and raw requests to it."""

from __future__ import annotations

import contextlib
import socket
import threading

import uvicorn

from web.access.connections import BoundedProtocol
from web.serving import server_config

PATIENCE_S = 60.0  # of a test for what must come


def protocol(**times):
    """The connections of `serve`, with other times."""
    return type("Protocol", (BoundedProtocol,), times)


@contextlib.contextmanager
def serving(app, kind=BoundedProtocol):
    """The port at which the app answers, until the block ends."""
    listening = socket.create_server(("127.0.0.1", 0))
    answering = threading.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets=None):
            await super().startup(sockets=sockets)
            answering.set()

    server = Server(server_config(app, kind))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        assert answering.wait(PATIENCE_S)
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
        listening.close()


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)


def read_all(connection):
    """Everything until the server closes."""
    found = b""
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        while part := connection.recv(1 << 16):
            found += part
    return found


def read_until(connection, wanted):
    """What comes up to these bytes."""
    found = b""
    while wanted not in found:
        part = connection.recv(1 << 16)
        assert part, found
        found += part
    return found


def ask(port, raw):
    """What the server answers to these bytes; it is asked to close."""
    with connect(port) as connection:
        with contextlib.suppress(ConnectionError):  # it was answered before all of it was sent
            connection.sendall(raw)
        return read_all(connection)


def status_of(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else None
