"""A port that is taken is told before the launch, with who holds it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from results.errors import UsageError
from servers import ports
from servers.ports import free_port, port_holder, require_free_port

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("listens_on", ["127.0.0.1", "0.0.0.0", "::"])
def test_a_taken_port_names_its_holder(listens_on):
    family = socket.AF_INET6 if ":" in listens_on else socket.AF_INET
    with socket.create_server((listens_on, 0), family=family, dualstack_ipv6=":" in listens_on) as listener:
        port = listener.getsockname()[1]
        assert port_holder(port).pid == os.getpid()
        with pytest.raises(UsageError, match=rf"port {port} is in use by process {os.getpid()} \(.+\)"):
            require_free_port(port)


@pytest.mark.parametrize("protocol", [4, 31])
def test_listeners_are_found_also_where_the_kernel_tells_them_only_in_proc(monkeypatch, protocol):
    """4: sock_diag, as it is; 31: a protocol that no kernel has."""
    monkeypatch.setattr(ports, "_NETLINK_SOCK_DIAG", protocol)
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as other,
    ):
        inodes = {os.fstat(each.fileno()).st_ino for each in (one, other)}
        for each in (one, other):
            own = os.fstat(each.fileno()).st_ino
            assert own in ports.listening_inodes(each.getsockname()[1]) <= inodes
        with socket.create_connection(one.getsockname()):
            assert ports.listening_inodes(None) >= inodes
    assert not ports.listening_inodes(None) & inodes


def test_a_port_that_was_just_closed_is_free():
    """Connections of the last run linger in TIME_WAIT for a minute; a server can listen all the same."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            listener.accept()[0].close()
    require_free_port(port)
    assert port_holder(port) is None


@pytest.mark.parametrize("port", [0, -1, 65536, 10**9])
def test_a_number_that_is_no_port_is_bad_usage(port):
    with pytest.raises(UsageError, match="does not exist"):
        require_free_port(port)


def test_a_privileged_port_is_bad_usage_for_ordinary_users():
    first = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if first <= 80:
        pytest.skip("every user may listen on every port here")
    code = (
        "from results.errors import UsageError\nfrom servers.ports import require_free_port\n"
        "import os, sys\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        "try: require_free_port(80)\nexcept UsageError as error: print(error.message)\n"
        "assert 'encodings.idna' not in sys.modules  # it takes 2 ms to load, and only names beyond ASCII need it"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, check=True
    )
    assert answer.stdout == b"port 80 is reserved for the system administrator\n"


def test_an_address_of_another_machine_is_bad_usage():
    with pytest.raises(UsageError, match="not an address of this machine"):
        require_free_port(free_port(), "192.0.2.1")
    with pytest.raises(UsageError, match="no such host"):
        require_free_port(free_port(), "no-such-host.invalid")


def test_a_port_that_another_program_chose_is_not_chosen_again(tmp_path, monkeypatch):
    """Two sweeps at once may look for a free port in the same moment, long before their servers listen."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    claim = "import sys; from servers.ports import claim_port; print(claim_port(18080), flush=True)"
    first = subprocess.Popen([sys.executable, "-c", f"{claim}; sys.stdin.read()"], cwd=ROOT, text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    assert first.stdout.readline() == "True\n"
    second = [sys.executable, "-c", claim]
    assert subprocess.run(second, cwd=ROOT, capture_output=True, text=True, check=True).stdout == "False\n"
    first.communicate()
    assert subprocess.run(second, cwd=ROOT, capture_output=True, text=True, check=True).stdout == "True\n"
