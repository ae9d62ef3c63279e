"""What a program can't reach. Each program passes when every attempt in it was refused."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from sandbox import Limits, Program, open_sandbox

ROOT = Path(__file__).parents[2]

# attempt(): refused(call, *arguments) fails the program when the call succeeds.
PRELUDE = """
import ctypes, os, resource, signal, socket, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def refused(call, *arguments, **options):
    try: result = call(*arguments, **options)
    except (OSError, ImportError, ValueError) as error: return error
    raise AssertionError(f"escaped: {arguments} gave {result!r}"[:300])
def no_call(*arguments):
    assert libc.syscall(*arguments) == -1, f"system call {arguments}"
"""
PROGRAMS = {
    "files of the system": """
for path in ("/etc/shadow", "/etc/passwd", "/root", "/home", "/proc", "/proc/1/environ", "/proc/self/mem", "/sys",
             "/var", "/run", "/dev/mem", "/dev/sda", "/dev/kmsg", "/dev/fuse", "/etc/hostname", "/boot"):
    refused(os.stat, path)
assert set(os.listdir("/")) <= {"usr", "lib", "lib64", "lib32", "dev", "tmp", "etc", "opt", "home", "newroot"}
""",
    "writing outside its folders": """
for folder in ("/", "/usr", "/usr/lib", "/dev", "/etc", os.path.dirname(sys.executable), "/usr/lib/python3"):
    refused(open, folder + "/escaped", "w")
    refused(os.mkdir, folder + "/escaped")
refused(os.remount if hasattr(os, "remount") else open, "/usr/bin/escaped", "w")
refused(os.symlink, "/tmp", "/usr/escaped")
refused(os.chmod, sys.executable, 0o777)
refused(os.link, os.path.realpath(sys.executable), "/tmp/python")
""",
    "environment": """
assert set(os.environ) <= {"LANG", "LC_CTYPE", "PWD"}, dict(os.environ)
assert "BENCH_TEST_SECRET" not in os.environ
libc.getenv.restype = ctypes.c_char_p
assert libc.getenv(b"BENCH_TEST_SECRET") is None and libc.getenv(b"HOME") is None
""",
    "descriptors of the harness": """
found = []
for descriptor in range(3, 1024):
    try: found.append((descriptor, os.fstat(descriptor).st_mode & 0o170000))
    except OSError: pass
assert len(found) == 1 and found[0][1] == 0o010000, found  # its own result pipe
""",
    "network": """
for family, address in ((socket.AF_INET, ("127.0.0.1", PORT)), (socket.AF_INET, ("8.8.8.8", 53)),
                        (socket.AF_INET6, ("::1", PORT))):
    refused(lambda: socket.socket(family).connect(address))
refused(socket.getaddrinfo, "localhost", 80)
refused(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
refused(lambda: socket.socket(socket.AF_UNIX).connect("/run/dbus/system_bus_socket"))
refused(lambda: socket.socket(socket.AF_UNIX).connect("\\0ABSTRACT"))
""",
    "the first process and all others": """
for number in range(1, 65):
    for pid in (1, -1):
        if number != signal.SIGCONT:
            try: os.kill(pid, number)
            except (ProcessLookupError, OSError): pass
try: os.kill(os.getppid(), signal.SIGKILL)
except OSError: pass
refused(resource.prlimit, 1, resource.RLIMIT_CPU, (1, 1))
refused(resource.prlimit, 1, resource.RLIMIT_NOFILE, (3, 3))
refused(os.setpriority, os.PRIO_PROCESS, 1, 19)
refused(os.setpriority, os.PRIO_USER, 0, 19)
refused(os.setpriority, os.PRIO_PGRP, 0, 19)
refused(os.sched_setaffinity, 1, {0})
refused(os.sched_setscheduler, 1, os.SCHED_IDLE, os.sched_param(0))
refused(os.setpgid, 1, 0)
""",
    "tracing processes": """
for request in (16, 0x4206, 0):  # ATTACH, SEIZE, TRACEME
    assert libc.ptrace(request, 1, 0, 0) == -1
buffer = ctypes.create_string_buffer(8)
vector = struct.pack("PN", ctypes.addressof(buffer), 8)
assert libc.process_vm_readv(os.getppid(), vector, 1, vector, 1, 0) == -1
assert libc.process_vm_writev(1, vector, 1, vector, 1, 0) == -1
""",
    "namespaces, mounts and rights": """
for flag in (0x10000000, 0x00020000, 0x20000000, 0x40000000, 0x08000000, 0x04000000, 0x02000000):
    assert libc.unshare(flag) == -1, hex(flag)
    assert libc.syscall(56, flag | signal.SIGCHLD, 0, 0, 0, 0) == -1 or os.uname().machine != "x86_64"
assert libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == -1
assert libc.umount2(b"/usr", 2) == -1 and libc.chroot(b"/tmp") == -1
for call in (os.setuid, os.setgid): refused(call, 0)
refused(os.setgroups, [0])
assert os.getuid() != 0 and os.geteuid() != 0 and libc.sethostname(b"x", 1) == -1
header, data = struct.pack("Ii", 0x20080522, 0), ctypes.create_string_buffer(24)
assert libc.capget(header, data) == 0 and data.raw == bytes(24), "capabilities"
""",
    "the kernel's wider surfaces": """
for number in (425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 442): no_call(number, 0, 0, 0, 0, 0)
if os.uname().machine == "x86_64":
    for number in (321, 323, 298, 250, 248, 249, 246, 175, 313, 304, 312, 155, 103): no_call(number, 0, 0, 0, 0, 0)
""",
    "messages for the next program": """
refused(os.setxattr, "/tmp", "user.message", b"hello")
assert libc.shmget(1, 100, 0o1777) == -1 and libc.msgget(1, 0o1777) == -1 and libc.semget(1, 1, 0o1777) == -1
assert libc.mq_open(b"/message", os.O_CREAT | os.O_RDWR, 0o777, None) == -1
""",
    "the terminal": "refused(open, '/dev/tty')",
}


@pytest.fixture(scope="module")
def listening():
    """Sockets of the harness's machine that a program must not reach: a port, and an abstract name."""
    with socket.create_server(("127.0.0.1", 0)) as port, socket.socket(socket.AF_UNIX) as abstract:
        name = f"bench-{os.getpid()}"
        abstract.bind("\0" + name)
        abstract.listen()
        yield str(port.getsockname()[1]), name


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_attempt_is_refused(name, judged, listening):
    code = PROGRAMS[name].replace("PORT", listening[0]).replace("ABSTRACT", listening[1])
    verdict = judged(PRELUDE + code)
    assert verdict.kind == "passed", verdict


def test_the_harness_lives_on_when_a_program_kills_its_parent(judged):
    assert (
        judged("import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nos.kill(0, signal.SIGKILL)").kind
        == "killed"
    )


def test_a_null_pointer_ends_only_its_program(judged):
    verdict = judged("import ctypes\nctypes.string_at(0)")
    assert (verdict.kind, verdict.signal) == ("killed", 11)


def test_nobody_else_is_seen_from_two_workers_at_once():
    """Two programs at once: neither sees the other's process, file or memory."""
    code = """
import os, time
open(f"/tmp/{os.getpid()}", "w"); open(f"/dev/shm/{os.getpid()}", "w")
time.sleep(0.3)
assert len(os.listdir("/tmp")) == len(os.listdir("/dev/shm")) == 1
try: os.kill(-1, 9)
except ProcessLookupError: pass
time.sleep(0.2)
"""
    verdicts = []
    with open_sandbox(workers=2) as box:
        run = lambda: verdicts.append(box.run(Program(code=code), Limits()).kind)  # noqa: E731
        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert verdicts == ["passed", "passed"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_ordinary_user_needs_no_rights():
    """The same as an ordinary user: the bwrap of the system or the wheel, user namespaces, limits."""
    script = f"""
from sandbox import Limits, Program, open_sandbox
with open_sandbox(workers=2) as box:
    for code in {["x = 1", "while True: pass", "open('/proc')"]}:
        print(box.run(Program(code=code), Limits(cpu_s=1)).kind)
"""
    prefix = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    command = [*prefix, sys.executable, "-B", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    if "Permission denied" in done.stderr and "sandbox" not in done.stderr:
        pytest.skip("an ordinary user can't read this interpreter or this folder")
    assert done.stdout.split() == ["passed", "timeout", "exception"], done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives the workers users of their own")
def test_started_by_root_every_process_of_a_worker_has_an_ordinary_user_of_its_own():
    with open_sandbox(workers=2) as box:
        users = []
        for slot in box._slots:
            top = psutil.Process(slot.worker._process.pid)
            users.append({uid for process in (top, *top.children(recursive=True)) for uid in process.uids()})
    assert all(len(of_worker) == 1 and 0 not in of_worker for of_worker in users), users
    assert users[0] != users[1]
