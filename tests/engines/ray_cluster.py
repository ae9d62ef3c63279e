"""A real Ray cluster of a few nodes on this machine, with fake GPUs, that asks for a token."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from processes.tree import Member, descendants, read_member, send_signal
from tests.command_line import wait_for
from tests.leaks import MARK

if TYPE_CHECKING:
    from collections.abc import Iterator

RAY = Path(sys.executable).with_name("ray")
STORE_BYTES = 80_000_000


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class Node:
    """A node that runs in the foreground of its `ray start --block`, and all of its processes."""

    process: subprocess.Popen[bytes]
    name: str

    def members(self) -> list[Member]:
        return descendants(self.process.pid)

    def raylet(self) -> Member:
        (found,) = [each for each in self.members() if _name(each) == "raylet"]
        return found

    def workers(self) -> list[Member]:
        """Those that are doing a unit, of human_eval: Ray names them by their task."""
        return [
            each for each in self.members() if b" human_eval" in command_of(each)[:60].partition(b"\0")[0]
        ]

    def kill(self) -> None:
        """The raylet, and with it whatever Ray itself ends then."""
        send_signal(self.raylet(), signal.SIGKILL)

    def end(self) -> None:
        """All of it, as by a power cut."""
        own = read_member(self.process.pid)
        for each in [*([own] if own else []), *self.members()]:
            send_signal(each, signal.SIGKILL)
        self.process.wait()


@dataclass
class RayCluster:
    """head: it has the driver's node too. env: with which a driver reaches it."""

    folder: Path
    port: int = field(default_factory=free_port)
    token: str = field(default_factory=lambda: secrets.token_hex(16))
    nodes: list[Node] = field(default_factory=list)
    count: int = 0
    mark: str = field(default_factory=lambda: f"BENCH_RAY_CLUSTER={secrets.token_hex(8)}")

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def env(self) -> dict[str, str]:
        return {"RAY_ADDRESS": self.address, "RAY_AUTH_TOKEN": self.token}

    def add(self, *, name: str, gpus: int = 1, cpus: int = 2, auth: str = "token", **env: str) -> Node:
        """A node; the first one is the head. Each has temporary files of its own, as another machine has."""
        words = [f"--num-cpus={cpus}", f"--num-gpus={gpus}", f"--object-store-memory={STORE_BYTES}"]
        words += ["--disable-usage-stats", f"--node-name={name}", "--block"]
        # An address each, as a machine has: a driver takes the node of its own.
        self.count += 1
        words += [f"--node-ip-address=127.0.0.{self.count}"]
        if self.nodes:
            words += [f"--address={self.address}"]
        else:
            words += [
                "--head",
                f"--port={self.port}",
                f"--temp-dir={self.folder}",
                "--include-dashboard=false",
            ]
        own = self.folder / f"tmp-{name}"
        own.mkdir(parents=True, exist_ok=True)
        inherited = {key: value for key, value in os.environ.items() if f"{key}={value}" != MARK}
        token = {"RAY_AUTH_MODE": auth, **({"RAY_AUTH_TOKEN": self.token} if auth == "token" else {})}
        marked = dict([self.mark.split("=", 1)])
        log = (self.folder / f"{name}.log").open("wb")
        with log:
            process = subprocess.Popen(
                [RAY, "start", *words],
                env={**inherited, **token, **marked, "TMPDIR": str(own), **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        node = Node(process, name)
        self.nodes.append(node)
        wait_for(
            lambda: process.poll() is not None or b"Ray runtime started" in Path(log.name).read_bytes(), 60
        )
        assert process.poll() is None, Path(log.name).read_text()
        return node

    def workers(self) -> list[Member]:
        return [worker for node in self.nodes for worker in node.workers()]

    def close(self) -> None:
        for node in reversed(self.nodes):
            node.end()
        for pid in self.left():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    def left(self, *named: bytes) -> list[int]:
        """Living processes that were started on any node, whose command line has one of these words."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                if self.mark.encode() in (entry / "environ").read_bytes().split(b"\0"):
                    command = (entry / "cmdline").read_bytes()
                    if not named or any(word in command for word in named):
                        found.append(int(entry.name))
        return found


@contextlib.contextmanager
def ray_cluster(folder: Path, *names: str, **facts: object) -> Iterator[RayCluster]:
    """A cluster of these nodes. Paths of sockets are short, so `folder` has to be short too."""
    cluster = RayCluster(folder)
    try:
        for name in names:
            cluster.add(name=name, **facts)
        yield cluster
    finally:
        cluster.close()


def _name(member: Member) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{member.pid}/comm").read_text().strip()
    return ""


def command_of(member: Member) -> bytes:
    """Its words, each with a NUL behind it; empty if it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{member.pid}/cmdline").read_bytes()
    return b""
