"""One open sandbox a module, and what must hold after every program in it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec
import psutil
import pytest

from sandbox import Limits, Program, Verdict, VerdictKind, open_sandbox
from sandbox.landlock import Landlock
from sandbox.pool import Pool
from sandbox.worker import SENT_BY_OTHERS

if TYPE_CHECKING:
    from collections.abc import Callable

os.environ["BENCH_TEST_SECRET"] = "the harness's own secret"  # before any sandbox is opened

# No program here comes within a factor of ten of a limit that it is not to meet: a verdict must not depend on how fast
# the machine is. What never ends by itself gets SHORT.
TIGHT = Limits(cpu_s=20, memory_bytes=256 << 20, file_bytes=8 << 20, output_bytes=1 << 20, processes=20)
SHORT = msgspec.structs.replace(TIGHT, cpu_s=0.5)
# Whatever ran before left no file, process, signal handler, limit or message, and the interpreter is as it was.
INNOCENT = """
import os, resource, signal, sys, threading, time
try: os.waitpid(-1, os.WNOHANG)
except ChildProcessError: pass
else: raise AssertionError("children")
assert threading.active_count() == 1 and sys.gettrace() is None, "threads"
assert signal.getsignal(signal.SIGTERM) == signal.getsignal(signal.SIGALRM) == signal.SIG_DFL, "handlers"
assert resource.getrlimit(resource.RLIMIT_AS)[0] == 256 << 20, "limits"
assert os.getpriority(os.PRIO_PROCESS, os.getppid()) == os.getpriority(os.PRIO_PROCESS, 0) == NICE, "priority"
assert len(os.sched_getaffinity(os.getppid())) == PROCESSORS, "processors"
assert sorted([3, 1, 2]) == [1, 2, 3] and print.__module__ == "builtins"
""".replace("NICE", str(min(19, os.nice(0) + 5))).replace("PROCESSORS", str(len(os.sched_getaffinity(0))))

IN_NAMESPACES = """
assert os.listdir("/tmp") == [] and os.listdir("/dev/shm") == [], "files"
try: os.kill(-1, 0)
except ProcessLookupError: pass
else: raise AssertionError("processes")
assert os.getcwd() == "/tmp" and os.stat("/tmp").st_mode & 0o7777 == 0o1777, "folder"
"""
AMONG_OTHERS = """
assert os.listdir() == [] and os.getcwd() == os.environ["TMPDIR"], "files"
assert os.stat(".").st_mode & 0o7777 == 0o700, "folder"
"""
OLD_KERNEL = "landlock of Linux 6.2"  # with what Landlock knew then; the seccomp filter stands for the rest


def opened(level: str, workers: int = 1):
    """The sandbox of that level, or of an older kernel."""
    return Pool(Landlock(abi=3), workers) if level == OLD_KERNEL else open_sandbox(level, workers)


def on(*levels: str):
    """Runs a test on each of these levels; without, on bubblewrap."""
    return pytest.mark.parametrize("box", levels, indirect=True, scope="module")


@pytest.fixture(scope="module")
def box(request):
    """A sandbox with one worker, so that each program follows the one before it in the same place."""
    with opened(getattr(request, "param", "bubblewrap")) as found:
        yield found


@pytest.fixture
def judged(box) -> Callable[..., Verdict]:
    """Runs a program, and checks after it that an innocent one passes in the same worker."""

    namespaces = box.describe()["level"] in {"bubblewrap", "container"}
    after = IN_NAMESPACES if namespaces else AMONG_OTHERS

    def judge(
        program: str | Program, *, stdin: str = "", limits: Limits = TIGHT, replaced: bool = False
    ) -> Verdict:
        before = box._slots[0].worker
        whole = program if isinstance(program, Program) else Program(code=program, stdin=stdin)
        verdict = box.run(whole, limits)
        innocent = box.run(Program(code=INNOCENT + after, script=True), TIGHT)  # alone, without tests
        assert innocent.kind is VerdictKind.PASSED, innocent
        kept = not replaced and verdict.signal not in SENT_BY_OTHERS  # else it was run again in a new one
        assert not kept or before is None or box._slots[0].worker is before, "the worker did not survive"
        if not namespaces:
            keeper = psutil.Process(box._slots[0].worker._process.pid)
            assert len(keeper.children(recursive=True)) == 1, "processes beside the zygote"
        return verdict

    return judge
