"""One open sandbox a module, and what must hold after every program in it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from sandbox import Limits, Program, Verdict, VerdictKind, open_sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

os.environ["BENCH_TEST_SECRET"] = "the harness's own secret"  # before any sandbox is opened

TIGHT = Limits(cpu_s=1, memory_bytes=256 << 20, file_bytes=8 << 20, output_bytes=1 << 20, processes=20)
# Whatever ran before left no file, process, signal handler, limit or message, and the interpreter is as it was.
INNOCENT = """
import os, resource, signal, sys, threading, time
assert os.listdir("/tmp") == [] and os.listdir("/dev/shm") == [], "files"
try:
    os.kill(-1, 0)
except ProcessLookupError:
    pass
else:
    raise AssertionError("processes")
assert os.getcwd() == "/tmp" and os.stat("/tmp").st_mode & 0o7777 == 0o1777, "folder"
assert threading.active_count() == 1 and sys.gettrace() is None, "threads"
assert signal.getsignal(signal.SIGTERM) == signal.getsignal(signal.SIGALRM) == signal.SIG_DFL, "handlers"
assert resource.getrlimit(resource.RLIMIT_AS)[0] == 256 << 20, "limits"
assert os.getpriority(os.PRIO_PROCESS, 1) == os.getpriority(os.PRIO_PROCESS, 0) == NICE, "priority"
assert len(os.sched_getaffinity(1)) == PROCESSORS, "processors"
assert sorted([3, 1, 2]) == [1, 2, 3] and print.__module__ == "builtins"
""".replace("NICE", str(min(19, os.nice(0) + 5))).replace("PROCESSORS", str(len(os.sched_getaffinity(0))))


@pytest.fixture(scope="module")
def box():
    """A sandbox with one worker, so that each program follows the one before it in the same place."""
    with open_sandbox() as opened:
        yield opened


@pytest.fixture
def judged(box) -> Callable[..., Verdict]:
    """Runs a program, and checks after it that an innocent one passes in the same worker."""

    def judge(code: str, *, stdin: str = "", limits: Limits = TIGHT, replaced: bool = False) -> Verdict:
        before = box._slots[0].worker
        verdict = box.run(Program(code=code, stdin=stdin), limits)
        innocent = box.run(Program(code=INNOCENT), TIGHT)
        assert innocent.kind is VerdictKind.PASSED, innocent
        assert replaced or before is None or box._slots[0].worker is before, "the worker did not survive"
        return verdict

    return judge
