"""Find out which process listens on a TCP port, and find free ports: asks the kernel, like ss, and reads /proc."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from processes.lock_files import user_lock_file
from results.errors import UsageError
from results.files import open_regular

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

TCP_LISTEN = "0A"  # include/net/tcp_states.h
# include/uapi/linux/netlink.h, sock_diag.h and inet_diag.h
_NETLINK_SOCK_DIAG, _BY_FAMILY = 4, 20
_ANSWER_S = 1.0
_DUMP = 0x301  # a request for all
_ERROR, _DONE, _INTERRUPTED = 2, 3, 0x10
_HEAD = struct.Struct("=IHH8x")
_DIAG_REQUEST = struct.Struct("=IHHIIBBBBI48x")
_DIAG_SOCKET = struct.Struct(">4xH62x4s")  # of a socket: port, inode
_claims: int | None = None  # descriptor of the file with this user's claimed ports


class PortHolder(msgspec.Struct, frozen=True):
    """A process that listens on a port. pid: None if it is another user's process that we can't identify."""

    pid: int | None
    name: str

    def describe(self) -> str:
        """The holder in words: "process 4711 (llama-server)"."""
        return "a process of another user" if self.pid is None else f"process {self.pid} ({self.name})"


def listening_inodes(port: int | None) -> frozenset[int]:
    """Inodes of the sockets that listen on the port (None means any port), on any address, IPv4 and IPv6."""
    try:
        listeners = _listeners()
    except (OSError, struct.error):
        listeners = _listed_listeners()
    return frozenset(inode for listens_on, inode in listeners if port in {None, listens_on})


def _listeners() -> list[tuple[int, int]]:
    """Port and inode of each listening socket, as the kernel tells them: sock_diag(7).

    In /proc the other sockets come behind them, and to look through the table of these takes it 4 ms a file. Raises
    OSError or struct.error where the kernel doesn't tell them so.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(_ANSWER_S)
        return [each for family in (socket.AF_INET, socket.AF_INET6) for each in _told(kernel, family)]


def _told(kernel: socket.socket, family: int) -> Iterator[tuple[int, int]]:
    states = 1 << int(TCP_LISTEN, 16)
    head = (_DIAG_REQUEST.size, _BY_FAMILY, _DUMP, 0, 0)
    kernel.send(_DIAG_REQUEST.pack(*head, family, socket.IPPROTO_TCP, 0, 0, states))
    while True:
        answer, at = kernel.recv(1 << 16), 0
        while at < len(answer):
            size, kind, flags = _HEAD.unpack_from(answer, at)
            body = answer[at + _HEAD.size : at + size]
            at += size + 3 & ~3
            if kind == _DONE and not any(body[:4]):
                return
            if kind in {_ERROR, _DONE} or size < _HEAD.size or flags & _INTERRUPTED:
                raise OSError("the kernel doesn't tell the listening sockets")
            port, inode = _DIAG_SOCKET.unpack_from(body)
            yield port, int.from_bytes(inode, sys.byteorder)


def _listed_listeners() -> list[tuple[int, int]]:
    """The same from /proc."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:  # no IPv6 here
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == TCP_LISTEN:
                found.append((int(fields[1].rpartition(":")[2], 16), int(fields[9])))
    return found


def socket_inodes(pid: int) -> frozenset[int]:
    """Inodes of a process's sockets; empty if it is gone or we may not read them."""
    found = set()
    folder = f"/proc/{pid}/fd"
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208 - thousands of descriptors, polled
            with contextlib.suppress(OSError):
                target = os.readlink(f"{folder}/{name}")  # noqa: PTH115 - same
                if target.startswith("socket:["):
                    found.add(int(target[8:-1]))
    return frozenset(found)


def foreign_holder(port: int, own_pids: Iterable[int]) -> PortHolder | None:
    """A process outside own_pids that listens on the port; None if all listeners are in own_pids, or there is none."""
    foreign = set(listening_inodes(port))
    for pid in own_pids:
        if not foreign:
            break
        foreign -= socket_inodes(pid)
    return _holder(foreign) if foreign else None


def port_holder(port: int) -> PortHolder | None:
    """The process that listens on the port, or None."""
    return foreign_holder(port, ())


def require_free_port(port: int, host: str = "127.0.0.1") -> None:
    """Raise UsageError, naming the port's holder, unless a server could listen on host:port now."""
    if not 1 <= port <= 65535:
        raise UsageError(f"port {port} does not exist", hint="ports are 1 to 65535")
    try:
        name = host.encode() if host.isascii() else host  # as in `http_probe`
        family, kind, protocol, _, address = socket.getaddrinfo(
            name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            # Like servers do it, so that a lingering connection (TIME_WAIT) of the last run does no harm.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)  # bind alone would succeed next to a listener with SO_REUSEADDR
    except socket.gaierror as error:
        raise UsageError(
            f"no such host: {host} ({error.strerror})", hint="such as 127.0.0.1; leave --host out"
        ) from error
    except PermissionError as error:
        raise UsageError(
            f"port {port} is reserved for the system administrator", hint="choose a port from 1024 up"
        ) from error
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise UsageError(
                f"{host} is not an address of this machine", hint="such as 127.0.0.1; leave --host out"
            ) from error
        if error.errno != errno.EADDRINUSE:
            raise UsageError(
                f"cannot listen on {host}:{port}: {error.strerror}",
                hint="choose another --port, or leave it out",
            ) from error
        holder = port_holder(port)
        by = "" if holder is None else f" by {holder.describe()}"
        raise UsageError(
            f"port {port} is in use{by}", hint="stop that process, or choose another port with --port"
        ) from error


def free_port(host: str = "127.0.0.1") -> int:
    """A port that is free now, and that no other bench_runner of this user chooses while this program lives.

    Another program may take it before it is used; the readiness check notices that.
    """
    while True:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.bind((host, 0))
            port = int(probe.getsockname()[1])
        if claim_port(port):
            return port


def claim_port(port: int) -> bool:
    """Claim the port until this program ends. False if another program of this user has claimed it."""
    global _claims  # noqa: PLW0603 - the locks live as long as the descriptor
    try:
        if _claims is None:
            _claims = open_regular(user_lock_file("ports"), os.O_RDWR | os.O_CREAT)
        fcntl.lockf(
            _claims, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port
        )  # the byte of that number, for this process
    except BlockingIOError:
        return False
    except OSError:  # locks don't work here, so do without
        return True
    return True


def _holder(inodes: set[int]) -> PortHolder:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and socket_inodes(int(entry.name)) & inodes:
            with contextlib.suppress(OSError):
                return PortHolder(int(entry.name), (entry / "comm").read_text(errors="replace").strip())
    return PortHolder(None, "")
