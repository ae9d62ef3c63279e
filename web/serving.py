"""`serve`: listens, answers until a signal, and ends in order."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import resource
import signal
import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import uvicorn

from results.errors import UsageError
from results.plain_text import plain_lines
from servers.ports import require_free_port
from web.access.connections import BoundedProtocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fastapi import FastAPI

    from web.config import ServeConfig

TICK_S = 1.0  # how exact the Date of answers is
GRACE_S = 2  # for answers under way, when it ends
BACKLOG = 512
OPEN_FILES = 8192
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def listen(config: ServeConfig) -> tuple[socket.socket, ServeConfig]:
    """A listening socket, and the configuration with its port. Raises UsageError, which names who has the port."""
    host = "127.0.0.1" if config.host == "localhost" else config.host.strip("[]")
    if config.port:
        require_free_port(config.port, host)
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise UsageError(
            f"{host} is not an address of this machine", hint="such as 127.0.0.1; leave --host out"
        ) from error
    opened = socket.socket(family, kind)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(address)
        opened.listen(BACKLOG)
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRINUSE:
            require_free_port(config.port, host)
        raise UsageError(
            f"cannot listen on {host}:{config.port}: {error.strerror}", hint="choose another --port"
        ) from error
    return opened, replace(config, port=int(opened.getsockname()[1]))


def base_url(config: ServeConfig) -> str:
    """The address at which this machine's browser reaches it."""
    host = config.host.strip("[]")
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104 - same
    return f"http://{f'[{host}]' if ':' in host else host}:{config.port}"


def answer_until_signal(app: FastAPI, listening: socket.socket, *, ready: Callable[[], None]) -> str:
    """Serve the app on the socket until SIGINT, SIGTERM or SIGHUP. Returns the signal's name.

    ready: called once it answers.
    """
    server = _Server(server_config(app), ready)
    server.run(sockets=[listening])
    return server.ended_by


def server_config(app: object, protocol: type[BoundedProtocol] = BoundedProtocol) -> uvicorn.Config:
    """How uvicorn serves an app. No access log: it would hold the tokens of links."""
    return uvicorn.Config(
        app,  # type: ignore[arg-type] # an ASGI application
        http=protocol,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GRACE_S,
    )


class _Server(uvicorn.Server):
    """Says when it answers, and leaves it to its caller what a signal means."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready
        self._wake: Callable[[], object] = lambda: None
        self.ended_by = ""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._ready()

    async def main_loop(self) -> None:
        """Wait for the end. It wakes by itself for the Date of answers only; uvicorn looks ten times as often."""
        ending, loop = asyncio.Event(), asyncio.get_running_loop()
        self._wake = lambda: loop.call_soon_threadsafe(ending.set)
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ending.wait(), TICK_S)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._end) for number in ENDING}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _end(self, number: int, frame: object) -> None:
        del frame
        self.ended_by = self.ended_by or signal.Signals(number).name
        self.force_exit = self.should_exit
        self.should_exit = True
        self._wake()


def allow_open_files() -> None:
    """Let this process open as many files as connections may need, if the limit can be raised."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def log_to_stderr() -> None:
    """Warnings and errors of everything in this process, a record with its traceback as indented lines."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    server = logging.getLogger("uvicorn.error")
    server.setLevel(logging.ERROR)  # its warnings are about what strangers send
    server.addFilter(_isnt_an_end)


def _isnt_an_end(record: logging.LogRecord) -> bool:
    """Not of a request that was cut short because the server ends."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, asyncio.CancelledError) and not str(record.msg).startswith(
        "Cancel %s running"
    )


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))
        first, *rest = plain_lines(super().format(record)).splitlines() or [""]
        return "\n".join([f"{when} {record.levelname.lower()}: {first}", *(f"    {line}" for line in rest)])
