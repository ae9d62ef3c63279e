"""The counters of a real process tree: complete, never falling, and cheap to read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from processes import process as servers_process
from telemetry.processes import ProcessTree


def burn(seconds):
    """A program's beginning; a little more, since the kernel counts in hundredths, rounded down."""
    return f"import time\nwhile time.process_time() < {seconds + 0.03}: pass\n"


def hold(path):
    """A program's middle: it goes on when that file is there."""
    return f"import os, time\nwhile not os.path.exists({str(path)!r}): time.sleep(0.02)\n"


def zombies_of(pid):
    return [child for child in psutil.Process(pid).children() if child.status() == psutil.STATUS_ZOMBIE]


@pytest.fixture
def start(tmp_path):
    """Start a Python program as a server is started, under a guardian."""
    started = []

    def start_program(source):
        running = servers_process.start([sys.executable, "-c", source], output=tmp_path / "log")
        started.append(running)
        return running

    yield start_program
    for running in started:
        running.stop(0.5)


def read_until(tree, condition, seconds=60.0):
    """The first reading for which the condition holds; all of them are checked never to fall."""
    deadline = time.monotonic() + seconds
    cpu_s = 0.0
    while True:
        reading = tree.read()
        assert reading.cpu_s >= cpu_s
        cpu_s = reading.cpu_s
        if condition(reading):
            return reading
        assert time.monotonic() < deadline, reading
        time.sleep(0.01)


def looking_often(tree):
    tree._look_s = 0.0
    return tree.read()


def test_what_the_tree_used_is_counted_also_of_a_daemonised_member(start):
    """A member that left the leader's session is found through the guardian."""
    running = start(
        "import os, time\n"
        "if os.fork() or os.setsid() or os.fork():\n"
        "    time.sleep(60)\n"
        f"{burn(0.3)}"
        "time.sleep(60)\n"
    )
    reading = read_until(ProcessTree(running.tree), lambda reading: reading.cpu_s >= 0.3)
    assert reading.count == 3


def test_cpu_seconds_stay_when_a_member_dies_and_are_not_counted_twice(start, tmp_path):
    """Its parent waits for it, and then has its seconds itself."""
    ends, is_waited_for = tmp_path / "ends", tmp_path / "is waited for"
    running = start(
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {burn(0.5) + hold(ends)!r}])\n"
        f"{hold(is_waited_for)}"
        "child.wait()\n"
        "time.sleep(600)\n"
    )
    tree = ProcessTree(running.tree)
    read_until(tree, lambda _: looking_often(tree).count == 2)
    before = read_until(tree, lambda reading: reading.cpu_s >= 0.5)
    ends.touch()
    after = read_until(tree, lambda reading: reading.count == 1)
    assert before.cpu_s <= after.cpu_s < before.cpu_s + 0.4
    is_waited_for.touch()
    read_until(tree, lambda _: not zombies_of(running.pid))
    assert after.cpu_s <= tree.read().cpu_s < before.cpu_s + 0.4


def test_what_nobody_inherits_is_kept(start, tmp_path):
    """A parent that ignores its children's end doesn't get their seconds."""
    ends = tmp_path / "ends"
    running = start(
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        f"subprocess.Popen([sys.executable, '-c', {burn(0.4) + hold(ends)!r}])\n"
        "time.sleep(600)\n"
    )
    tree = ProcessTree(running.tree)
    read_until(tree, lambda _: looking_often(tree).count == 2)
    before = read_until(tree, lambda reading: reading.cpu_s >= 0.4)
    ends.touch()
    after = read_until(tree, lambda reading: reading.count == 1)
    assert before.cpu_s <= after.cpu_s < before.cpu_s + 0.3


def test_a_child_that_no_look_saw_counts_once_it_was_waited_for(start, tmp_path):
    """Compilers that an engine starts live for less than a look takes to come round."""
    running = start(
        "import subprocess, sys\n"
        f"{hold(tmp_path / 'go')}"
        f"subprocess.run([sys.executable, '-c', {burn(0.4)!r}])\n"
        "time.sleep(60)\n"
    )
    tree = ProcessTree(running.tree)
    before = read_until(tree, lambda reading: reading.count == 1)
    tree._look_s = float("inf")
    (tmp_path / "go").touch()
    assert read_until(tree, lambda reading: reading.cpu_s >= before.cpu_s + 0.4).count == 1


def test_counters_go_on_over_a_restart_of_the_whole_server(start):
    servers = [start(burn(0.2) + "time.sleep(60)")]

    def pids():
        return servers[-1].tree()

    tree = ProcessTree(pids)
    before = read_until(tree, lambda reading: reading.cpu_s >= 0.2)
    servers[-1].stop(0.5)
    between = tree.read()
    assert (between.count, between.memory_bytes) == (0, 0)
    assert between.cpu_s >= before.cpu_s
    servers.append(start(burn(0.2) + "time.sleep(60)"))
    after = read_until(tree, lambda reading: reading.cpu_s >= between.cpu_s + 0.2)
    assert after.count == 1
    assert after.written_bytes >= before.written_bytes


def test_memory_is_the_members_own_and_what_they_share_once(start):
    """Each of the three has 64 MiB of its own, and all map the same 64 MiB."""
    running = start(
        "import mmap, os, time\n"
        "shared = mmap.mmap(-1, 64 << 20)\n"
        "shared.write(b'x' * (64 << 20))\n"
        "os.fork() and os.fork()\n"
        "own = bytearray(b'x') * (64 << 20)\n"
        "sum(shared[::4096])\n"
        "time.sleep(60)\n"
    )
    tree = ProcessTree(running.tree)
    read_until(tree, lambda _: looking_often(tree).count == 3)
    mib = read_until(tree, lambda reading: reading.memory_bytes >= 256 << 20).memory_bytes >> 20
    assert 256 <= mib < 256 + 64


def test_bytes_that_reach_the_storage_are_counted(start, tmp_path):
    """As another reader of them says; on a file system in memory none do."""
    running = start(
        "import os, time\n"
        f"file = os.open({str(tmp_path / 'file')!r}, os.O_CREAT | os.O_WRONLY)\n"
        "os.write(file, b'x' * (8 << 20))\n"
        "os.fsync(file)\n"
        f"open({str(tmp_path / 'done')!r}, 'w').close()\n"
        "time.sleep(60)\n"
    )
    read_until(ProcessTree(running.tree), lambda _: (tmp_path / "done").exists())
    reading, other = ProcessTree(running.tree).read(), psutil.Process(running.pid).io_counters()
    assert (reading.read_bytes, reading.written_bytes) == (other.read_bytes, other.write_bytes)


def test_nothing_is_read_of_a_process_that_is_not_there():
    gone = subprocess.Popen(["true"])
    gone.wait()
    reading = ProcessTree(lambda: [gone.pid]).read()
    assert (reading.count, reading.cpu_s, reading.memory_bytes, reading.read_bytes) == (0, 0.0, 0, None)


def test_any_name_of_a_process_is_read(tmp_path):
    """The kernel puts it unescaped between the fields."""
    program = tmp_path / "a) R 1 (b"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "60"]) as sleeping:
        try:
            reading = ProcessTree(lambda: [sleeping.pid]).read()
        finally:
            os.kill(sleeping.pid, signal.SIGKILL)
    assert reading.count == 1
    assert reading.cpu_s < 1


def test_looks_for_new_members_stay_rare_and_get_rarer_where_they_cost_much():
    """On a machine with thousands of processes a look takes tens of milliseconds."""
    looks = []

    def slow():
        looks.append(time.monotonic())
        time.sleep(0.05)
        return [os.getpid()]

    tree = ProcessTree(slow)
    for _ in range(20):
        tree.read()
    assert len(looks) == 1
    assert tree._look_s - time.monotonic() > 9
