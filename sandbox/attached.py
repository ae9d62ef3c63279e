"""A container that hangs on our connection to its engine, with its input and output in it."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

import psutil
from docker.errors import DockerException, NotFound

if TYPE_CHECKING:
    from docker import APIClient

    from sandbox.engine import Engine

GONE_S = 10.0
FRAME_BYTES = 1 << 20  # engines send at most 32 KiB at once
DIAGNOSIS_BYTES = 64 << 10
_STDOUT = 1


class AttachedContainer:
    """See `sandbox.worker.Process`. container: created and not yet started, so that nothing it says is missed.

    Raises DockerException.
    """

    def __init__(self, engine: Engine, container: str, diagnosis: IO[bytes]) -> None:
        self.pid: int | None = None
        self._client = engine.client
        self._container = container
        self._socket = engine.attach(container)
        self.stdin = Input(self._socket)
        self.stdout = Output(self._socket, diagnosis)

    def look_up(self) -> int | None:
        """Find `pid`, once it has started: the engine's process that started its first one, where we see it."""
        with contextlib.suppress(
            NotFound, OSError, psutil.Error
        ):  # it has ended already, as its worker will see
            first = int(self._client.inspect_container(self._container)["State"]["Pid"])
            # The engine may number processes as another namespace, or another machine, does.
            if first and self._container in Path(f"/proc/{first}/cgroup").read_text(encoding="utf-8"):
                self.pid = psutil.Process(first).ppid() or None
        return self.pid

    def kill(self) -> None:
        """Its zygote's input ends, and the engine kills what is left. Is idempotent."""
        with contextlib.suppress(OSError):  # it has ended
            self._socket.shutdown(socket.SHUT_RDWR)
        remove(self._client, self._container)

    def wait(self) -> None:
        """Until it is gone. An engine that does not answer is not waited for."""
        deadline = time.monotonic() + GONE_S
        with contextlib.suppress(DockerException, OSError):
            while time.monotonic() < deadline:
                self._client.inspect_container(self._container)
                time.sleep(0.02)

    def close(self) -> None:
        """What a worker does through its streams."""
        self._socket.close()


def remove(client: APIClient, container: str) -> None:
    """With all that runs in it. It may be gone, or going by itself, or the engine may be gone."""
    with contextlib.suppress(DockerException, OSError):
        client.remove_container(container, force=True, v=True)


class Input:
    """What goes in; it is sent as it is."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def fileno(self) -> int:
        return self._connection.fileno()

    def read(self, _size: int, /) -> bytes | None:
        raise OSError("an input is not read")

    def close(self) -> None:
        self._connection.close()


class Output:
    """What its standard output gives, taken out of the engine's frames; its standard error goes to `diagnosis`.

    Frames: https://docs.docker.com/reference/api/engine (ContainerAttach, "Stream format").
    """

    def __init__(self, connection: socket.socket, diagnosis: IO[bytes]) -> None:
        self._connection = connection
        self._diagnosis = diagnosis
        self._data = b""

    def fileno(self) -> int:
        return self._connection.fileno()

    def read(self, size: int, /) -> bytes | None:
        """What is there; None when that is nothing of the standard output; b"" at the end."""
        part = self._connection.recv(size)
        if not part:
            return b""
        self._data += part
        printed = b""
        while len(self._data) >= 8:
            stream, length = struct.unpack(">BxxxL", self._data[:8])
            if length > FRAME_BYTES:
                return b""  # no such frame is sent
            if len(self._data) < 8 + length:
                break
            payload, self._data = self._data[8 : 8 + length], self._data[8 + length :]
            if stream == _STDOUT:
                printed += payload
            elif self._diagnosis.tell() < DIAGNOSIS_BYTES:
                os.write(self._diagnosis.fileno(), payload)
        return printed or None

    def close(self) -> None:
        self._connection.close()
