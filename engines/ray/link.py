"""The driver process and the socket to it, as the coordinator has them.

Ray ends a driver whose node or head is gone, without asking, and prints what it likes: so it is a process of its own,
under a guardian that ends it with everything that it started when the coordinator dies in any way.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from engines.ray.messages import PACKET_BYTES, encode, from_driver
from processes import process as processes
from processes.readable import readable
from results.errors import BenchError, ResultsError
from results.files import read_file
from results.plain_text import tail
from runner.script import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engines.ray.messages import FromDriver, Start, ToDriver

LOCAL: Final = "local"
CONNECT_S: Final = 60.0
CLOSE_S: Final = 2.0


class DriverGone(ResultsError):
    """The driver process has ended by itself: its node or the cluster is gone."""

    kind = "ray"


class Link:
    """A driver that runs until the block ends. Raises DriverGone from every method once it is gone."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            folder = Path(tempfile.mkdtemp(prefix="ray-"))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            self._log = folder / "driver.log"
            listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            listener.bind(str(folder / "s"))
            listener.listen(1)
            self._driver = processes.start(
                (sys.executable, "-m", "engines.ray.driver", str(folder)),
                output=self._log,
                env=self._environment(),
                cwd=ROOT,
            )
            stack.callback(self._driver.stop, CLOSE_S)
            self._socket = stack.enter_context(self._accept(listener))
            self._stack = stack.pop_all()
        self.send(self._start)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def send(self, message: ToDriver) -> None:
        try:
            self._socket.sendall(encode(message))
        except OSError as error:
            raise self._gone() from error

    def receive(self, within_s: float) -> Iterator[FromDriver]:
        """The messages that are there, waiting for the first one."""
        deadline = time.monotonic() + within_s
        while readable([self._socket.fileno()], deadline - time.monotonic()):
            try:
                data = self._socket.recv(PACKET_BYTES)
            except OSError:
                data = b""
            if not data:
                raise self._gone()
            yield from_driver(data)
            deadline = 0.0

    def _environment(self) -> dict[str, str]:
        """Always with a token: Ray then refuses to begin without one. Nothing is reported to Ray's makers."""
        env = {
            **os.environ,
            "RAY_AUTH_MODE": "token",
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_COLOR_PREFIX": "0",
            "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
        }
        if self._start.address == LOCAL:
            env.pop("RAY_ADDRESS", None)
            env.pop("RAY_AUTH_TOKEN_PATH", None)
            env["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = (
                "0"  # on Linux too, Ray then listens on 127.0.0.1 alone
            )
            env["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
        return env

    def _accept(self, listener: socket.socket) -> socket.socket:
        deadline = time.monotonic() + CONNECT_S
        while self._driver.poll() is None and time.monotonic() < deadline:
            if listener.fileno() in readable([listener.fileno(), self._driver.fileno()], 1.0):
                return listener.accept()[0]
        raise self._gone(began=False)

    def _gone(self, *, began: bool = True) -> BenchError:
        self._driver.stop(CLOSE_S)
        said = ""
        with contextlib.suppress(OSError):
            said = tail(read_file(self._log).decode(errors="replace"))
        if not began:  # another Ray than this program knows, for example
            last = said.strip().rpartition("\n")[2]
            return DriverGone(
                f"the program that talks to Ray did not start: {last}",
                hint="is it a Ray that `bench-runner[ray]` allows?",
                log_tail=said,
            )
        return DriverGone(
            "the connection to the Ray cluster is gone",
            hint="see `ray status` on this machine; `ray start` joins it to the cluster again",
            log_tail=said,
        )
