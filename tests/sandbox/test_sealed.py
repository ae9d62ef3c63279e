"""A sealed program has no place in which to hide processor time or memory: what is measured of it is all of it."""

from __future__ import annotations

import msgspec
import pytest

from sandbox import Program, UnitTests, VerdictKind
from tests.sandbox.conftest import TIGHT, on

SEALED = msgspec.structs.replace(TIGHT, sealed=True)
HIDING = {
    # A child that nobody waits for takes its processor time with it.
    "a child": "import os, signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\nos.fork()",
    "another program": "import subprocess\nsubprocess.run(['/bin/true'])",
    "a pool": "import multiprocessing\nmultiprocessing.Pool(1)",
    "a pipe": "import os\nos.pipe()",
    "a socket": "import socket\nsocket.socketpair()",
    "a file": "with open('hidden', 'wb', buffering=0) as file:\n    file.write(b'hidden')",
    "a link": "import os\nos.symlink('x' * 4000, 'hidden')",
    "a name": "import os\nos.mkdir('hidden')",
    "another name": "import os\nos.open('hidden', os.O_RDONLY | os.O_CREAT)",
    "processors": "import os\nos.sched_setaffinity(0, os.sched_getaffinity(0))",
    "a large file": "import os\nos.truncate(os.open('hidden', os.O_RDWR | os.O_CREAT), 1 << 20)",
    "memory without a file": "import os\nos.truncate(os.memfd_create('hidden'), 1 << 20)",
}


@on("bubblewrap", "landlock")
@pytest.mark.parametrize("place", HIDING)
def test_nothing_is_a_hiding_place(judged, place):
    verdict = judged(Program(code=HIDING[place], script=True), limits=SEALED)
    assert verdict.kind is VerdictKind.EXCEPTION, verdict
    assert "Error" in verdict.detail


@on("bubblewrap", "landlock")
def test_what_programs_need_they_have(judged):
    """Threads count as the program's own; input, output and its tests are as ever."""
    threads = (
        "import threading, sys\n"
        "thread = threading.Thread(target=lambda: print(sys.stdin.read()))\nthread.start()\n"
    )
    verdict = judged(Program(code=threads, stdin="given", script=True), limits=SEALED)
    assert (verdict.kind, verdict.stdout) == (VerdictKind.PASSED, b"given\n")
    called = Program(
        code="def double(x):\n    return 2 * x", tests=UnitTests("assert double(4) == 8", "double")
    )
    assert judged(called, limits=SEALED).kind is VerdictKind.PASSED


def test_threads_of_a_sealed_program_are_counted(judged):
    code = """
import threading, time
def spin():
    while time.thread_time() < 0.2:
        pass
threads = [threading.Thread(target=spin) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""
    assert judged(Program(code=code, script=True), limits=SEALED).cpu_s > 0.35
