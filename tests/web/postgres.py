"""A real PostgreSQL, in a throw-away cluster of its own: only on a unix socket, in a folder with a short name."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_START_WITHIN_S = 110.0  # it takes a second; a busy machine many


class Postgres:
    """A running server. Each test has a database of its own."""

    def __init__(self, folder: Path, binaries: Path) -> None:
        self.folder = folder
        self._binaries = binaries
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://bench@/{database}?host={self.folder}"

    def program(self, name: str) -> Path:
        """One that came with it, such as pg_dump."""
        return self._binaries / name

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"t{uuid.uuid4().hex[:12]}"
        self.sql(f"CREATE DATABASE {name}")
        return self.url(name)

    def sql(self, statement: str, database: str = "postgres") -> list[tuple]:
        """Execute it at once, outside transactions."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        log = (self.folder / "log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [
                    *_as_other_user("--pdeathsig", "QUIT"),
                    self._binaries / "postgres",
                    *("-D", self.folder / "data", "-k", self.folder, "-c", "listen_addresses="),
                    *("-c", "fsync=off", "-c", "max_connections=200", "-c", "shared_buffers=32MB"),
                ],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                # It outlives the test that asks for it first, which would be told that it left a process behind.
                env={name: text for name, text in os.environ.items() if name != "BENCH_TEST_SESSION"},
            )
        ready = [self._binaries / "pg_isready", "-h", self.folder, "-U", "bench", "-t", "5", "-q"]
        for _ in range(int(_START_WITHIN_S / 0.1)):
            if subprocess.run(ready, check=False).returncode == 0:
                return
            if self._process.poll() is not None:
                break
            with subprocess.Popen(["sleep", "0.1"]):
                pass
        raise RuntimeError((self.folder / "log").read_text(errors="replace")[-2000:])

    def stop(self, how: int = signal.SIGINT) -> None:
        """End it: SIGINT closes its connections, SIGQUIT is a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(_START_WITHIN_S)
            self._process = None


def _as_other_user(*options: str) -> list[str]:
    """PostgreSQL refuses to be root."""
    found = ["setpriv", *options]
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        found += [f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    return [*found, "--"]


@contextlib.contextmanager
def throw_away_cluster() -> Iterator[Postgres]:
    """A running server of its own. Skips the test where PostgreSQL's programs aren't installed."""
    named = os.environ.get("POSTGRES_BIN")
    installed = [Path(named)] if named else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not installed or not (installed[-1] / "initdb").exists():
        pytest.skip("no PostgreSQL: run these tests by `make test-web`")
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path has 107 bytes at most
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")
    server = Postgres(folder, installed[-1])
    try:
        subprocess.run(
            [
                *_as_other_user(),
                installed[-1] / "initdb",
                *(
                    "-D",
                    folder / "data",
                    "-A",
                    "trust",
                    "-U",
                    "bench",
                    "-E",
                    "UTF8",
                    "--locale=C",
                    "--no-sync",
                ),
            ],
            check=True,
            capture_output=True,
            cwd=folder,
        )
        server.start()
        yield server
    finally:
        server.stop(signal.SIGQUIT)  # an orderly end would first write everything
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres():
    """For tests marked `web`."""
    with throw_away_cluster() as server:
        yield server
