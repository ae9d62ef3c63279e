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
from tests.sandbox.conftest import OLD_KERNEL, on, opened

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
assert set(os.environ) <= {"LANG", "LC_CTYPE", "PWD", "TMPDIR", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"}, os.environ
assert "BENCH_TEST_SECRET" not in os.environ
libc.getenv.restype = ctypes.c_char_p
assert libc.getenv(b"BENCH_TEST_SECRET") is None and libc.getenv(b"HOME") is None
""",
    "descriptors of the harness": """
found = []
for descriptor in range(3, 1024):
    try: found.append((descriptor, os.fstat(descriptor).st_mode & 0o170000))
    except OSError: pass
assert [kind for _, kind in found] == [0o010000] * 2, found  # its own ends of the channel
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
refused(os.memfd_create, "memory that no process is seen to hold")
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
# On levels without namespaces: the same things by what such a program sees of them, and more to reach for.
AMONG_OTHERS = {
    "files of the system": """
for path in ("/etc/shadow", "/etc/passwd", "/etc/hostname", "/proc/1/environ", "/proc/self/mem", "/proc/self/environ",
             f"/proc/{os.getppid()}/environ", f"/proc/{os.getppid()}/mem", "/proc/self/maps", "/proc/mounts",
             "/dev/mem", "/dev/sda", "/dev/kmsg", "/dev/fuse", "/dev/tty", "/dev/ptmx", "HARNESS"):
    for mode in ("rb", "r+b", "wb", "ab"): refused(open, path, mode)
    refused(os.open, path, os.O_RDONLY | os.O_TRUNC)
    refused(os.truncate, path, 0)
for path in ("/", "/root", "/home", "/proc", "/proc/self", "/sys", "/var", "/run", "/boot", "/etc", "/dev", "/dev/shm",
             "/tmp", "..", "../..", "/usr/bin"):
    refused(os.listdir, path)
os.chdir("/")
refused(os.listdir); refused(open, "etc/passwd")
""",
    "writing outside its folders": """
own = os.getcwd()
for folder in ("/", "/usr", "/usr/lib", "/dev", "/etc", os.path.dirname(sys.executable), "/dev/shm", "/tmp", "/var/tmp",
               os.path.dirname(own)):
    refused(open, folder + "/escaped", "w")
    refused(os.mkdir, folder + "/escaped")
    refused(os.mkfifo, folder + "/escaped")
    refused(os.symlink, "/tmp", folder + "/escaped")
    refused(os.open, folder, os.O_TMPFILE | os.O_RDWR)
    open("inside", "w").close()
    refused(os.rename, "inside", folder + "/escaped")
    refused(os.link, "inside", folder + "/escaped")
refused(os.link, os.path.realpath(sys.executable), "python")
os.rmdir(own); os.unlink("inside"); os.remove("inside")  # do nothing
assert os.path.isdir(own) and os.path.exists("inside")
refused(os.rename, own, own + "x"); refused(os.rename, "inside", "new")
refused(os.open, own, os.O_TMPFILE | os.O_RDWR); refused(os.posix_fallocate, os.open("inside", os.O_RDWR), 0, 1 << 20)
os.symlink("/etc", "link"); refused(open, "link/escaped", "w"); refused(open, "link/passwd")
os.symlink("/etc/passwd", "file"); refused(open, "file")
before = os.stat(sys.executable)
os.chmod(sys.executable, 0o777); os.utime(sys.executable, (0, 0)); os.chown(sys.executable, 0, 0)  # do nothing
assert os.stat(sys.executable) == before
refused(lambda: os.mknod("device", 0o20666, os.makedev(1, 1))); refused(lambda: os.mknod("disk", 0o60666, 2048))
""",
    "other processes": """
zygote = os.getppid()
refused(os.kill, zygote, 0)  # before what is worse if this is open
for pid in (zygote, zygote - 1, HARNESS_PID, 1):
    for number in (0, signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP):
        refused(os.kill, pid, number)
        refused(lambda: signal.pidfd_send_signal(os.pidfd_open(pid), number))
        no_call(200, pid, number) if os.uname().machine == "x86_64" else None  # tkill
refused(os.killpg, os.getpgid(zygote), signal.SIGKILL)
try: os.kill(-1, signal.SIGTERM)  # nobody is left to get it
except OSError: pass
reader, writer = os.pipe()
import fcntl
try: fcntl.fcntl(reader, fcntl.F_SETOWN, zygote); fcntl.fcntl(reader, 10, signal.SIGKILL)
except OSError: pass
fcntl.fcntl(reader, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
os.write(writer, b"x")
for pid in (zygote, HARNESS_PID):
    refused(resource.prlimit, pid, resource.RLIMIT_CPU, (1, 1))
    refused(os.sched_setaffinity, pid, {0})
    refused(os.setpriority, os.PRIO_PROCESS, pid, 19)
    refused(os.pidfd_open, -1)
    assert libc.ptrace(0x4206, pid, 0, 0) == -1
""",
    "local services": """
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET): refused(socket.socket, socket.AF_UNIX, kind)
for kind in (socket.SOCK_DGRAM, socket.SOCK_SEQPACKET): refused(socket.socketpair, socket.AF_UNIX, kind)
refused(socket.socketpair, socket.AF_INET, socket.SOCK_STREAM)
left, right = socket.socketpair()
refused(left.connect, "/run/dbus/system_bus_socket")
refused(left.sendto, b"x", "/dev/log")
refused(left.sendmsg, [b"x"], [], 0, "/dev/log")
refused(left.bind, "\\0mine"); refused(left.listen)
left.sendall(b"x"); assert right.recv(1) == b"x"
""",
    "objects of the whole machine": """
if os.uname().machine == "x86_64":
    for number in (30, 31, 65, 66, 220, 69, 70, 71, 253, 294, 197, 198, 199): no_call(number, 0, 0, 0, 0, 0)
refused(os.setxattr, ".", "user.message", b"hello")
import _multiprocessing
refused(lambda: _multiprocessing.SemLock(1, 1, 1, "/message", False))
""",
}
NOT_THERE = {"the first process and all others"}  # they have another one in its place


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
    alone = name in NOT_THERE  # else its tests are a process that it may end, and then it does not pass
    verdict = judged(Program(code=PRELUDE + code, script=alone))
    assert verdict.kind == "passed", verdict


@on("landlock", OLD_KERNEL)
@pytest.mark.parametrize("name", sorted({**PROGRAMS, **AMONG_OTHERS}.keys() - NOT_THERE))
def test_every_attempt_is_refused_without_namespaces(name, judged, listening):
    code = {**PROGRAMS, **AMONG_OTHERS}[name].replace("PORT", listening[0]).replace("ABSTRACT", listening[1])
    code = code.replace("HARNESS_PID", str(os.getpid())).replace("HARNESS", __file__)
    verdict = judged(PRELUDE + code)
    assert verdict.kind == "passed", verdict


@on("process")
@pytest.mark.parametrize("name", ["environment", "descriptors of the harness"])
def test_limits_alone_still_hand_nothing_over(name, judged):
    assert judged(PRELUDE + PROGRAMS[name]).kind == "passed"


def test_the_harness_lives_on_when_a_program_kills_its_parent(judged):
    assert (
        judged("import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nos.kill(0, signal.SIGKILL)").kind
        == "killed"
    )


def test_a_null_pointer_ends_only_its_program(judged):
    verdict = judged("import ctypes\nctypes.string_at(0)")
    assert (verdict.kind, verdict.signal) == ("killed", 11)


@pytest.mark.parametrize("level", ["bubblewrap", "landlock", OLD_KERNEL])
def test_nobody_else_is_seen_from_two_workers_at_once(level):
    """Two programs at once: neither sees the other's process, file or memory."""
    code = """
import os, time
folders = [folder for folder in (os.getcwd(), "/dev/shm") if os.access(folder, os.W_OK) and not NAMED]
for folder in folders: open(f"{folder}/{os.getpid()}", "w")
time.sleep(0.3)
assert [len(os.listdir(folder)) for folder in folders] == [1] * len(folders)
try: os.kill(-1, 9)
except OSError: pass
time.sleep(0.2)
""".replace("NAMED", str(level != "bubblewrap") + " and folder == '/dev/shm'")
    verdicts = []
    with opened(level, 2) as box:
        run = lambda: verdicts.append(box.run(Program(code=code, script=True), Limits()).kind)  # noqa: E731
        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert verdicts == ["passed", "passed"]


ORDINARY = """
import os, sys, tempfile
from sandbox import Limits, Program, open_sandbox
os.umask(0o022)
with tempfile.TemporaryDirectory() as home, open_sandbox(LEVEL, workers=2) as box:
    file, folder = os.path.join(home, "file"), os.path.join(home, "folder")
    open(file, "w").write("mine"); os.mkdir(folder)
    before = os.stat(file), os.stat(folder)
    attempts = ["x = 1", "while True: pass", "import os; os.listdir('/proc')", "import os\\nwhile True: os.fork()"]
    for call in ("open(F)", "open(F, 'a')", "os.truncate(F, 0)", "os.unlink(F)", "os.rename(F, 'f')", "os.link(F, 'f')",
                 "os.rename(D, 'f')", "os.rmdir(D)", "os.mkdir(D + '/x')", "os.symlink('/', D + '/x')",
                 "os.setxattr(F, 'user.x', b'y')"):
        attempts.append(f"F, D = {file!r}, {folder!r}\\nimport os\\n{call}")
    for code in attempts:
        cpu_s = 0.5 if "while True" in code else 20
        print(box.run(Program(code=code), Limits(cpu_s=cpu_s, processes=24)).kind)
    quiet = "for name in (F, D): os.chmod(name, 0); os.utime(name, (0, 0)); os.chown(name, -1, os.getgid())"
    left = "os.makedirs('a/b'); os.symlink(D, 'a/b/link'); os.symlink(D, 'link'); os.mkdir('a/closed', 0)"
    for code in (quiet, left):
        box.run(Program(code=f"F, D = {file!r}, {folder!r}\\nimport os\\n" + code), Limits())
    assert (os.stat(file), os.stat(folder)) == before, "changed"
    assert open(file).read() == "mine"
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("level", ["bubblewrap", "landlock"])
def test_an_ordinary_user_needs_no_rights_and_loses_nothing(level):
    """The same as an ordinary user, whose own files and folders a program can't reach although they share the user."""
    prefix = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    command = [*prefix, sys.executable, "-B", "-c", f"LEVEL = {level!r}\n" + ORDINARY]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    if "Permission denied" in done.stderr and "sandbox" not in done.stderr:
        pytest.skip("an ordinary user can't read this interpreter or this folder")
    passed, timeout, refused, bomb, *others = done.stdout.split()
    assert (passed, timeout, refused) == ("passed", "timeout", "exception"), done.stderr
    assert bomb in {"exception", "timeout", "killed"}
    assert len(others) == 11
    pretended = {3, 7} if level == "landlock" else set()  # to unlink and to rmdir; the file is still there
    assert [place for place, kind in enumerate(others) if kind != "exception"] == sorted(pretended), others
    assert done.stderr == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives the workers users of their own")
@pytest.mark.parametrize("level", ["bubblewrap", "landlock", "process"])
def test_started_by_root_every_process_of_a_worker_has_an_ordinary_user_of_its_own(level):
    with open_sandbox(level, workers=2) as box:
        users = []
        for slot in box._slots:
            top = psutil.Process(slot.worker._process.pid)
            users.append({uid for process in (top, *top.children(recursive=True)) for uid in process.uids()})
    assert all(len(of_worker) == 1 and 0 not in of_worker for of_worker in users), users
    assert users[0] != users[1]
