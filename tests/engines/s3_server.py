"""A real S3 server of one's own: moto's, in a process of its own, on a port of this machine."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.command_line import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET = "results"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIATESTTESTTEST", "AWS_SECRET_ACCESS_KEY": "its-secret-key-0123456789"}


class S3Server:
    """It keeps its objects in memory, so one that was stopped and started again is empty."""

    def __init__(self, log) -> None:
        self._log = log
        self.port = 0
        self._process: subprocess.Popen | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What programs need that use it, as of any S3 server."""
        return {
            **KEYS,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def start(self) -> None:
        """On a port that is free; another program may take it in between, so that is tried again."""
        for _ in range(5):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
            with self._log.open("ab") as log:
                words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
                self._process = subprocess.Popen(words, stdout=log, stderr=log)
            assert wait_for(lambda: self._process.poll() is not None or self._answers(), 60), (
                self._log.read_text()
            )
            if self._process.poll() is None:
                return
        raise AssertionError(self._log.read_text())

    def pause(self) -> None:
        """It takes connections and says nothing, as a store that can't be reached."""
        self._process.send_signal(19)

    def go_on(self) -> None:
        self._process.send_signal(18)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


@contextlib.contextmanager
def s3_server(folder) -> Iterator[S3Server]:
    """With a bucket, and everything in the environment that programs need to use it."""
    pytest.importorskip("moto", reason="without moto there is no S3 server: make test-engines installs it")
    s3fs = pytest.importorskip("s3fs", reason="without s3fs no S3 store: make test-engines installs it")
    server = S3Server(folder / "s3.log")
    with pytest.MonkeyPatch.context() as patch:
        server.start()
        try:
            for name in list(os.environ):
                if name.startswith("AWS_"):
                    patch.delenv(name)
            for name, value in server.environment.items():
                patch.setenv(name, value)
            s3fs.S3FileSystem(anon=False).mkdir(BUCKET)
            yield server
        finally:
            server.stop()
            s3fs.S3FileSystem.clear_instance_cache()
