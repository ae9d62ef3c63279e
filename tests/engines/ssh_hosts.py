"""Real machines for the ssh engine, as far as one machine can be several: real sshd in namespaces of their own.

Each has its own network behind a cable that can be cut, its own processes that die together, a home, a /tmp, and of the
folders in `hidden` it sees nothing. The rest of the disk is shared, such as Python. Needs root.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from results.locks import lock
from tests.command_line import wait_for
from tests.leaks import MARK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NEEDED = ("sshd", "ssh", "ssh-keygen", "ip", "unshare", "mount")
_SCRIPT = """
set -e
mount --make-rprivate /
mount --bind {folder}/passwd /etc/passwd
for hidden in {hidden}; do mount -t tmpfs none "$hidden"; done
ip link set lo up
read _ < {folder}/cable
ip addr add {address}/30 dev eth0
ip link set eth0 up
exec {taskset} {sshd} -D -e -f {folder}/sshd_config
"""
_SSHD = """
Port 22
ListenAddress {address}
HostKey {folder}/host_key
AuthorizedKeysFile {key}.pub
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
MaxStartups 100
SetEnv TMPDIR={folder}/tmp {mark} PATH={path} {variables}
"""
_CLIENT = """
Host {name}
  HostName {address}
  User root
  IdentityFile {key}
  IdentitiesOnly yes
  UserKnownHostsFile {known}
"""


@dataclass
class SshHost:
    """A machine. number: gives its network. cpu: the core that it is limited to."""

    name: str
    folder: Path
    number: int
    key: Path
    hidden: Sequence[Path] = ()
    variables: str = ""
    cpu: int | None = None
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        return f"10.213.{self.number}.2"

    @property
    def workdir(self) -> Path:
        return self.folder / "home" / ".cache" / "bench_runner" / "ssh" / os.uname().nodename

    def start(self) -> None:
        """Power on. Returns once sshd listens."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in ("home", "tmp"):
            (self.folder / name).mkdir(exist_ok=True)
        if not (self.folder / "host_key").exists():
            _keygen(self.folder / "host_key")
        passwd = Path("/etc/passwd").read_text().splitlines()
        root = next(line for line in passwd if line.startswith("root:")).split(":")
        root[5], root[6] = str(self.folder / "home"), "/bin/sh"
        lines = [":".join(root), *(line for line in passwd if not line.startswith("root:"))]
        (self.folder / "passwd").write_text("\n".join(lines) + "\n")
        facts = {
            "folder": self.folder,
            "address": self.address,
            "key": self.key,
            "mark": MARK,
            "path": os.environ["PATH"],
            "variables": self.variables,
            "hidden": " ".join(f"'{path}'" for path in self.hidden),
            "sshd": shutil.which("sshd"),
            "taskset": "" if self.cpu is None else f"taskset -c {self.cpu}",
        }
        (self.folder / "sshd_config").write_text(_SSHD.format(**facts))
        Path("/run/sshd").mkdir(exist_ok=True)
        (self.folder / "cable").unlink(missing_ok=True)
        os.mkfifo(self.folder / "cable")
        # Machines outlive tests, so they don't have the mark of what a test starts; what runs there by ssh has it.
        environment = {name: value for name, value in os.environ.items() if name != MARK.partition("=")[0]}
        with (self.folder / "sshd.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["unshare", "--net", "--mount", "--pid", "--uts", "--fork", "--mount-proc", "--kill-child",
                 "sh", "-c", _SCRIPT.format(**facts)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=environment,
            )  # fmt: skip
        first = wait_for(self.first_pid)
        wait_for(lambda: _space(first, "net") != _space("self", "net"))
        _run("ip", "link", "add", self.cable, "type", "veth", "peer", "name", "eth0", "netns", str(first))
        _run("ip", "addr", "add", f"10.213.{self.number}.1/30", "dev", self.cable)
        _run("ip", "link", "set", self.cable, "up")
        (self.folder / "cable").write_text("in\n")
        wait_for(lambda: b"listening on" in (self.folder / "sshd.log").read_bytes().lower()[self._read :])

    _read = 0

    @property
    def cable(self) -> str:
        return f"bench{os.getpid() % 100000}.{self.number}"[-15:]

    def first_pid(self) -> int | None:
        """Of its first process, with which all others end."""
        if self._process is None:
            return None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        with contextlib.suppress(OSError, IndexError):
            return int(children.read_text().split()[0])
        return None

    def processes(self, *, of: str = "") -> dict[int, str]:
        """Pid here -> command line, but sshd's own. of: a part of it."""
        first = self.first_pid()
        found: dict[int, str] = {}
        if first is None:
            return found
        space = _space(first, "pid")
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                pid = int(entry.name)
                if space and _space(pid, "pid") == space:
                    words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                    if words and "sshd" not in words and of in words:
                        found[pid] = words
        return found

    def kill(self, of: str) -> None:
        """kill -9 all its processes that have that in their command lines."""
        for pid in self.processes(of=of):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_connections(self) -> None:
        """kill -9 sshd's processes of connections, as when a network device between forgets them."""
        first = self.first_pid()
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        for pid in map(int, children):
            with contextlib.suppress(OSError):
                if b"sshd" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)

    def cut_cable(self) -> None:
        _run("ip", "link", "set", self.cable, "down")

    def mend_cable(self) -> None:
        _run("ip", "link", "set", self.cable, "up")

    def power_off(self) -> None:
        """All its processes at once."""
        first = self.first_pid()
        if self._process is not None:
            if first is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(first, signal.SIGKILL)
            self._process.kill()
            self._process.wait()
            self._process = None
            subprocess.run(["ip", "link", "del", self.cable], check=False, capture_output=True)
        self._read = (self.folder / "sshd.log").stat().st_size


@dataclass
class SshHosts:
    """Several machines, and the client's configuration that reaches them."""

    folder: Path
    hosts: list[SshHost]

    @property
    def ssh(self) -> str:
        """The engine's setting."""
        return f"ssh -F {self.folder}/ssh_config"

    @property
    def names(self) -> str:
        return ",".join(host.name for host in self.hosts)


@contextlib.contextmanager
def ssh_hosts(
    folder: Path, names: Sequence[str], *, hidden: Sequence[Path] = (), a_core_each: bool = False, **facts
) -> Iterator[SshHosts]:
    """Machines that run until the block ends. a_core_each: all that runs on one is limited to a core of its own, as far
    as there are so many. Skips the test where they can't be had.
    """
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        pytest.skip(
            f"these programs are missing: {', '.join(missing)} (apt-get install openssh-server iproute2)"
        )
    if os.geteuid() != 0:
        pytest.skip("needs root, for namespaces with networks")
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / "key"
    _keygen(key)
    held = contextlib.ExitStack()
    cores = itertools.cycle(sorted(os.sched_getaffinity(0)) if a_core_each else (None,))
    hosts = [
        SshHost(
            name=name, folder=folder / name, number=_network(held), key=key, hidden=hidden, cpu=core, **facts
        )
        for name, core in zip(names, cores, strict=False)
    ]
    known = folder / "known_hosts"
    try:
        for host in hosts:
            host.start()
            public = (host.folder / "host_key.pub").read_text()
            with known.open("a") as file:
                file.write(f"{host.address} {public}")
        (folder / "ssh_config").write_text(
            "".join(
                _CLIENT.format(name=host.name, address=host.address, key=key, known=known) for host in hosts
            )
        )
        yield SshHosts(folder, hosts)
    finally:
        for host in hosts:
            host.power_off()
        held.close()


def _network(held: contextlib.ExitStack) -> int:
    """A network that no other test on this machine uses, until `held` closes."""
    folder = Path("/tmp/bench_runner_networks")
    folder.mkdir(exist_ok=True)
    for number in range(1, 250):
        if held.enter_context(lock(folder / f"{number}.lock", within_s=0)) is not None:
            return number
    raise AssertionError("all networks are taken")


def _space(pid: object, kind: str) -> str:
    """Which namespace a process is in; "" if it is gone."""
    try:
        return str(Path(f"/proc/{pid}/ns/{kind}").readlink())
    except OSError:
        return ""


def _keygen(path: Path) -> None:
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path))


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)
