"""What of each engine can be killed: a connection, the program that does a unit, a node, and what must be gone then."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from engines.slurm.claim import read_claim
from processes.tree import descendants, send_signal
from tests.command_line import wait_for
from tests.engines.ray_cluster import RayCluster, command_of, ray_cluster
from tests.engines.slurm_cluster import SlurmCluster, slurm_cluster
from tests.engines.ssh_hosts import SshHosts, ssh_hosts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NODE_S = 1.0  # a node is away for so long
NODES = ("one", "two")


class Machines(Protocol):
    """settings: the manifest's `engine:` part. environment: of the coordinator. gone_within_s: how soon no process of a
    killed coordinator may be left; None where attempts go on. place: of an attempt, as the journal has it; a kind of
    kill that can't hit one place hits all, and says so by returning True.
    """

    settings: Mapping[str, Any]
    environment: Mapping[str, str]
    gone_within_s: float | None

    def place(self, noted: str, attempt: Path) -> str:
        """Where an attempt is now. noted: as the journal has it, which may be a little behind."""

    def connection(self, place: str) -> bool: ...

    def program(self, place: str) -> bool: ...

    def node(self, place: str) -> bool: ...

    def processes(self) -> list[str]:
        """What runs for units now."""


class Ssh:
    gone_within_s = 3.0
    environment: Mapping[str, str] = {}

    def __init__(self, hosts: SshHosts) -> None:
        self._hosts = {host.name: host for host in hosts.hosts}
        self.settings = {"name": "ssh", "hosts": hosts.names, "ssh": hosts.ssh}

    def place(self, noted: str, attempt: Path) -> str:
        return noted

    def connection(self, place: str) -> bool:
        self._hosts[place].kill_connections()
        return False

    def program(self, place: str) -> bool:
        self._hosts[place].kill("engines.node.unit_program")
        return False

    def node(self, place: str) -> bool:
        self._hosts[place].power_off()
        time.sleep(NODE_S)
        self._hosts[place].start()
        return False

    def processes(self) -> list[str]:
        return [words for host in self._hosts.values() for words in host.processes().values()]


class Slurm:
    gone_within_s = None
    settings: Mapping[str, Any] = {"name": "slurm", "gres": "none", "poll_s": 1, "settle_s": 1}

    def __init__(self, cluster: SlurmCluster) -> None:
        self._cluster = cluster
        self.environment = cluster.environment

    def place(self, noted: str, attempt: Path) -> str:
        held = read_claim(attempt)
        return held.node if held is not None else noted

    def connection(self, place: str) -> bool:
        self._cluster.kill("slurmctld")
        time.sleep(NODE_S)
        self._cluster.start_controller()
        wait_for(self._resumed, 60)
        return True

    def _resumed(self) -> bool:
        """A controller that was killed may know a node as it was before, such as down."""
        with contextlib.suppress(subprocess.CalledProcessError):
            states = self._cluster.command("sinfo", "-h", "-N", "-o", "%n %T").split("\n")
            for line in filter(None, states):
                name, _, state = line.partition(" ")
                if state.startswith(("down", "drain")):
                    self._cluster.command("scontrol", "update", f"nodename={name}", "state=resume")
                    return False
            return bool(states)
        return False

    def program(self, place: str) -> bool:
        for pid, command in self._cluster.processes(*[place] if place else []).items():
            if "engines.slurm.job" in command:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        return not place

    def node(self, place: str) -> bool:
        name = place or "n1"
        self._cluster.kill_node(name)
        self._cluster.command("scontrol", "update", f"nodename={name}", "state=down", "reason=dead")
        time.sleep(NODE_S)
        self._cluster.start_node(name)
        wait_for(self._resumed, 60)
        return True

    def processes(self) -> list[str]:
        return list(self._cluster.processes().values())


class Ray:
    gone_within_s = 10.0  # Ray ends the tasks of a driver that is gone
    settings: Mapping[str, Any] = {"name": "ray", "cpus": 1}

    def __init__(self, cluster: RayCluster) -> None:
        self._cluster = cluster
        self.environment = cluster.env

    def place(self, noted: str, attempt: Path) -> str:
        return noted

    def connection(self, place: str) -> bool:
        for each in descendants(os.getpid()):
            words = command_of(each)
            if b"engines.ray.driver" in words and b"guardian" not in words:
                send_signal(each, signal.SIGKILL)
        return True

    def program(self, place: str) -> bool:
        for worker in self._cluster.workers()[:1]:
            send_signal(worker, signal.SIGKILL)
        return True

    def node(self, place: str) -> bool:
        node = self._cluster.nodes.pop()
        node.end()
        self._cluster.add(name=node.name)
        return True

    def processes(self) -> list[str]:
        return [
            str(pid) for pid in self._cluster.left(b"unit_program", b"canonical_server", b"run_human_eval")
        ]


@contextlib.contextmanager
def machines_of(engine: str, folder: Path, *, a_core_each: bool = False) -> Iterator[Machines]:
    """Two nodes, until the block ends. a_core_each: of ssh, see `ssh_hosts`."""
    if engine == "ssh":
        with ssh_hosts(folder / "hosts", NODES, a_core_each=a_core_each) as hosts:
            yield Ssh(hosts)
    elif engine == "slurm":
        with slurm_cluster() as cluster:
            yield Slurm(cluster)
    else:
        with (
            tempfile.TemporaryDirectory(prefix="ray-kills-", ignore_cleanup_errors=True) as short,
            ray_cluster(Path(short), *NODES) as cluster,
        ):
            yield Ray(cluster)


def left_after_s(machines: Machines, within_s: float) -> float:
    """How long it took until nothing runs there for a unit. Raises like `wait_for`."""
    began = time.monotonic()
    wait_for(lambda: not machines.processes(), within_s)
    return time.monotonic() - began
