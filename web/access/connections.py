"""Connections with limits: how long a request may take to arrive, an answer to be taken, and how many there are.

uvicorn limits how long an idle connection stays, but not how long the lines of a request take, so a few hundred clients
that send a byte a minute would keep everybody else out.
"""

from __future__ import annotations

import json
import socket
import sys
from typing import TYPE_CHECKING

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from web.access.door import HEADERS, STREAMS

if TYPE_CHECKING:
    import asyncio

HEADER_S = 10.0  # for the lines of a request
BODY_S = 30.0  # for its body
REST_S = 2.0  # for the rest of a body whose answer was sent already, so that the sender sees the answer
TAKE_S = 30.0  # for what is waiting to be sent
MOST_CONNECTIONS = 1000
_TEXTS = {
    431: "the lines of the request are too long",
    400: "that is not a request as HTTP/1.1 has them",
}


class BoundedProtocol(H11Protocol):
    """One connection. The times are attributes of the class, for tests."""

    header_s = HEADER_S
    body_s = BODY_S
    rest_s = REST_S
    take_s = TAKE_S
    most_connections = MOST_CONNECTIONS
    _arriving: asyncio.TimerHandle | None = None  # what ends the connection unless more arrives
    _arriving_what: object = None
    _taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        _send_at_once(transport)
        if len(self.connections) > self.most_connections:
            transport.abort()
            return
        self._watch_arrival()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._arriving, self._taking):
            if timer is not None:
                timer.cancel()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch_arrival()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch_arrival(fresh=True)
        if self.transport.get_write_buffer_size():
            self._watch_taking()

    def shutdown(self) -> None:
        """The server ends: a stream ends at once, as if its reader had gone; other answers get their time."""
        super().shutdown()
        if self.cycle is not None and not self.cycle.response_complete and self.scope.get(STREAMS):
            self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_taking()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def send_400_response(self, msg: str) -> None:
        """The answer to what is no request, in the form of our other errors."""
        del msg
        if self.conn.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
            self.transport.abort()  # in the middle of an answer
            return
        status = getattr(sys.exc_info()[1], "error_status_hint", 400)
        text = _TEXTS.get(status, _TEXTS[400])
        body = json.dumps({"detail": text}).encode()
        headers = [
            *HEADERS.items(),
            ("Cache-Control", "no-store"),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
        ]
        for event in (
            h11.Response(status_code=status, headers=headers),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
        self._watch_taking()

    def _watch_arrival(self, *, fresh: bool = False) -> None:
        """Begin, go on with or end the time in which what is expected must arrive. It isn't begun again by parts."""
        state = self.conn.their_state
        seconds = None
        if state is h11.IDLE and self.timeout_keep_alive_task is None:
            seconds = self.header_s
        elif state is h11.SEND_BODY:
            answered = self.cycle is not None and self.cycle.response_complete
            seconds = self.rest_s if answered else self.body_s
        what = (state, seconds)
        if what == self._arriving_what and not fresh:
            return
        if self._arriving is not None:
            self._arriving.cancel()
        self._arriving_what, self._arriving = what, None
        if seconds is not None and not self.transport.is_closing():
            self._arriving = self.loop.call_later(seconds, self.transport.abort)

    def _watch_taking(self) -> None:
        if self._taking is None:
            self._taking = self.loop.call_later(self.take_s, self._drop_if_untaken)

    def _drop_if_untaken(self) -> None:
        self._taking = None
        if self.transport.get_write_buffer_size():
            self.transport.abort()


def _send_at_once(transport: asyncio.Transport) -> None:
    """Let no answer wait for the client. asyncio does so only for sockets that were made with IPPROTO_TCP; else a body,
    which is written after the answer's lines, waits until these are acknowledged: 40 ms on a connection that is kept.
    """
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.family in {socket.AF_INET, socket.AF_INET6}:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
