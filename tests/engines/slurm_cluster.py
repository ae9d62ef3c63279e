"""A real Slurm in a throw-away folder: munge, slurmctld and the daemons of two nodes, all on this machine, on free
ports, without accounting.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.leaks import MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo", "scontrol")
NODES = ("n1", "n2")
LONGEST_ARRAY = 3
CARDS = 2  # of the first node
_WITHIN_S = 60.0  # it takes a second; a busy machine many
_CONFIG = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.sock
SlurmctldPort={controller}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=100
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
SlurmdTimeout=10
MessageTimeout=5
KillWait=5
MinJobAge=5
MaxArraySize={longest}
GresTypes=gpu
SlurmdParameters=config_overrides
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={n1} CPUs=4 RealMemory=64000 Gres=gpu:{cards}
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={n2} CPUs=4 RealMemory=64000
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
PartitionName=cards Nodes=n1 MaxTime=INFINITE State=UP
"""


class SlurmCluster:
    """A running cluster. Its commands find it by `environment`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "slurm.conf"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def environment(self) -> dict[str, str]:
        return {"SLURM_CONF": str(self.config)}

    def command(self, *words: str) -> str:
        """What one of its commands prints."""
        env = {**os.environ, **self.environment}
        return subprocess.run(
            words, env=env, check=True, capture_output=True, text=True, timeout=_WITHIN_S
        ).stdout

    def prepare(self) -> None:
        for name in ("state", *(f"spool-{node}" for node in NODES)):
            (self.folder / name).mkdir()
        for number in range(CARDS):  # Slurm takes only devices
            os.mknod(self.folder / f"card{number}", 0o600 | 0o020000, os.makedev(1, 3))
        ports = dict(zip(("controller", *NODES), _free_ports(3), strict=True))
        self.config.write_text(
            _CONFIG.format(
                folder=self.folder, host=socket.gethostname(), cards=CARDS, longest=LONGEST_ARRAY, **ports
            ),
            "utf-8",
        )
        (self.folder / "gres.conf").write_text(
            f"NodeName=n1 Name=gpu File={self.folder}/card[0-{CARDS - 1}]\n", "utf-8"
        )
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)

    def start(self) -> None:
        """Start what isn't running, and wait until all nodes take jobs."""
        if not self._runs("munged"):
            files = {
                "socket": "sock",
                "key-file": "key",
                "log-file": "log",
                "pid-file": "pid",
                "seed-file": "seed",
            }
            self._start(
                "munged",
                "--foreground",
                "--force",
                *(f"--{name}={self.folder}/munge.{end}" for name, end in files.items()),
            )
            self._wait((self.folder / "munge.sock").exists)
        self.start_controller()
        for node in NODES:
            self.start_node(node)
        self.wait_ready()

    def start_controller(self) -> None:
        if self._runs("slurmctld"):
            return
        self._start("slurmctld", "-D", "-f", str(self.config))

    def start_node(self, node: str) -> None:
        if self._runs(node):
            return
        self._start(node, "-D", "-N", node, "-f", str(self.config), program="slurmd")

    def wait_ready(self, *nodes: str) -> None:
        def ready() -> bool:
            with contextlib.suppress(subprocess.CalledProcessError):
                for node in nodes or NODES:
                    if self.command("sinfo", "-h", "-N", "-n", node, "-o", "%T").split()[0] not in (
                        "idle",
                        "mixed",
                        "allocated",
                    ):
                        return False
                return True
            return False

        self._wait(ready)

    def _runs(self, name: str) -> bool:
        return name in self._processes and self._processes[name].poll() is None

    def kill(self, name: str) -> None:
        """kill -9 a daemon: "slurmctld" or a node."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def kill_node(self, node: str) -> None:
        """As a power cut: its daemon and all that it started, at once. Slurm's own first, or they would tell of it."""
        self.kill(node)
        while found := [*self._helpers(node), *self.processes(node)]:
            for pid in found:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)

    def _helpers(self, *nodes: str) -> list[int]:
        """slurmstepd, one a job; it outlives a daemon that was killed, and has that one's log open."""
        logs = {str(self.folder / f"slurmd-{node}.log") for node in nodes or NODES}
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if (path / "comm").read_text().strip() == "slurmstepd" and logs & {
                    str(link.readlink()) for link in (path / "fd").iterdir()
                }:
                    found.append(int(path.name))
        return found

    def processes(self, *nodes: str) -> dict[int, str]:
        """What jobs run on these nodes, or on all: pid -> command line."""
        marks = {f"SLURMD_NODENAME={node}".encode() for node in nodes or NODES}
        ours = f"SLURM_CONF={self.config}".encode()
        found = {}
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                names = set((path / "environ").read_bytes().split(b"\0"))
                if names & marks and ours in names:
                    command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    found[int(path.name)] = command
        return {pid: command for pid, command in found.items() if command}

    def stop(self) -> None:
        """End the jobs too, which a test that failed may have left."""
        for pid in self.processes():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGTERM)
        for process in reversed(self._processes.values()):
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._processes.clear()
        for pid in self._helpers():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    def _start(self, name: str, *options: str, program: str = "") -> None:
        with (self.folder / f"{name}.out").open("ab") as log:
            # They outlive the test that asks for them first, which would be told that it left a process behind.
            not_kept = MARK.split("=", maxsplit=1)[0]
            self._processes[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", program or name, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env={
                    key: text
                    for key, text in os.environ.items()
                    if key != not_kept and not key.startswith("SLURM")
                },
            )

    def _wait(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _WITHIN_S
        while not done():
            for name, process in self._processes.items():
                if process.poll() is not None:
                    raise RuntimeError(f"{name} ended: {self.logs()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"Slurm wasn't ready in {_WITHIN_S:g} s: {self.logs()}")
            time.sleep(0.05)

    def logs(self) -> str:
        """The ends of all logs."""
        texts = {
            path.name: path.read_text(errors="replace")[-1500:] for path in self.folder.glob("*.[lo][ou][gt]")
        }
        return "\n".join(f"== {name}\n{text}" for name, text in texts.items())


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def slurm_cluster() -> Iterator[SlurmCluster]:
    """A running cluster of its own. Skips where Slurm's programs aren't installed, or for another user than root."""
    missing = [
        name for name in PROGRAMS if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None
    ]
    if missing:
        pytest.skip(f"no {', '.join(missing)}: run these tests by `make test-engines`, as root on Debian")
    if os.geteuid() != 0:
        pytest.skip("Slurm's daemons need root to start jobs")
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
    cluster = SlurmCluster(folder)
    try:
        cluster.prepare()
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)
