"""One process judges many programs, and nothing of one program or of its tests reaches the next."""

import os
import time

import psutil
import pytest

from sandbox import Limits, Program, open_sandbox
from sandbox.contract import UnitTests

LEVELS = pytest.mark.parametrize("level", ["bubblewrap", "landlock"])
TELL_PID = "import os\nassert False, os.getpid()"
LIMITS = Limits(cpu_s=0.5)


def with_tests(tests: str, code: str = "def f(x): return x") -> Program:
    return Program(code=code, tests=UnitTests(code=tests, entry_point="f"))


def judge_of(box) -> str:
    return box.run(with_tests(TELL_PID), LIMITS).detail


@LEVELS
def test_one_judge_judges_programs_that_pass_fail_raise_and_do_not_compile(level):
    """A fork for each program's tests would cost as much as the program."""
    with open_sandbox(level, workers=1) as box:
        first = judge_of(box)
        assert first.startswith("AssertionError: ")
        for code, kind in {
            "def f(x): return x": "passed",
            "def f(x): return 2": "wrong_answer",
            "def f(x): return 1 / 0": "exception",
            "def f(x:": "syntax_error",
        }.items():
            assert box.run(with_tests("assert f(1) == 1", code), LIMITS).kind == kind
            assert judge_of(box) == first


LEFT_BEHIND = {
    "a module": "import uuid",
    "a thread": "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    "a process": "import os, time\nos.fork() or time.sleep(60)",
    "a builtin": "import builtins\nbuiltins.ascii = repr",
    "a limit": "import sys\nsys.setrecursionlimit(4321)",
    "a folder": "import os\nos.chdir('/tmp')",
    "a file": "import os\nos.dup(1)",
    "an alarm": "import signal\nsignal.alarm(60)",
    "a handler": "import signal\nsignal.signal(signal.SIGALRM, signal.SIG_IGN)",
    "a precision": "import decimal\ndecimal.getcontext().prec = 5",
    "a collector that is off": "import gc\ngc.disable()",
    "another output": "import io, sys\nsys.stdout = io.StringIO()",
    "memory": "b = bytearray(64 << 20)\nfor n in range(0, len(b), 4096): b[n] = 1",
}


@pytest.mark.parametrize("left", LEFT_BEHIND)
@LEVELS
def test_tests_that_leave_something_behind_are_the_last_of_their_judge(level, left):
    with open_sandbox(level, workers=1) as box:
        first = judge_of(box)
        assert box.run(with_tests(LEFT_BEHIND[left] + "\nassert f(1) == 1"), LIMITS).kind == "passed"
        assert judge_of(box) != first


SCRIBBLE = """
import os
def f(x):
    for n in range(3, 32):
        try:
            os.write(n, b"\\0\\0\\0\\1?")
        except OSError:
            pass
    return 1
"""
OUT_OF_THE_ORDINARY = {
    "its time is up": ("def f(x):\n while True: pass", "timeout"),
    "it is gone": ("import os\ndef f(x): os._exit(0)", "killed"),
    "it breaks the channel": (SCRIBBLE, "killed"),
    "its answer is large": ("def f(x): return 'x' * (32 << 20)", "wrong_answer"),
}


@pytest.mark.parametrize("case", OUT_OF_THE_ORDINARY)
@LEVELS
def test_a_judge_that_met_something_odd_is_not_used_again(level, case):
    code, kind = OUT_OF_THE_ORDINARY[case]
    with open_sandbox(level, workers=1) as box:
        first = judge_of(box)
        assert box.run(with_tests("assert f(1) == 1", code), LIMITS).kind == kind
        assert judge_of(box) != first
        assert box.run(with_tests("assert f(1) == 1"), LIMITS).kind == "passed"


@LEVELS
def test_random_numbers_of_the_tests_are_new_for_each_program(level):
    """As in a fork for each; a test that seeds them must not decide what the next one draws."""
    draw = "import random\nassert False, random.random()"
    with open_sandbox(level, workers=1) as box:
        box.run(with_tests("import random\nrandom.seed(1)"), LIMITS)
        first = box.run(with_tests(draw), LIMITS).detail
        box.run(with_tests("import random\nrandom.seed(1)"), LIMITS)
        assert box.run(with_tests(draw), LIMITS).detail != first


# Forks into the background and tells no one; its tests go on to their pass.
DETACHED = """
import os, time
def f(x):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(60)
        os._exit(0)
    os.wait()
    return x
"""


@LEVELS
def test_what_a_program_started_ends_with_it_though_its_judge_stays_or_not(level):
    with open_sandbox(level, workers=1) as box:
        for code in (DETACHED, "def f(x): return x", DETACHED):
            assert box.run(with_tests("assert f(1) == 1", code), LIMITS).kind == "passed"
            deadline = time.monotonic() + 10
            while len(left := sleepers(box)) > 0 and time.monotonic() < deadline:
                time.sleep(0.01)
            assert left == []


def sleepers(box) -> list[int]:
    """All in the sandbox below its zygote but the judge, which waits in recvmsg."""
    zygote = psutil.Process(box._slots[0].worker._process.pid)
    below = [child for child in zygote.children(recursive=True) if child.status() != psutil.STATUS_ZOMBIE]
    return [child.pid for child in below[1:]][1:]


DESCRIPTORS = """
import os
def f(x):
    return [n for n in range(3, 256) if is_open(n)]
def is_open(n):
    try:
        os.fstat(n)
    except OSError:
        return False
    return True
"""


@LEVELS
def test_a_program_has_no_descriptor_but_its_streams_and_its_channel(level):
    """With the judge's socket it could hand over tests of its own; with the pipe of verdicts, say that it passed."""
    with open_sandbox(level, workers=1) as box:
        for _ in range(2):  # with a new judge, and with one that stands
            assert box.run(with_tests("assert len(f(0)) == 2, f(0)", DESCRIPTORS), LIMITS).detail == ""


@LEVELS
def test_other_limits_want_another_judge(level):
    """A judge can't raise its own."""
    tell = "import resource\nassert False, resource.getrlimit(resource.RLIMIT_AS)[0]"
    with open_sandbox(level, workers=1) as box:
        for memory_bytes in (1 << 30, 1 << 29, 1 << 30):
            assert str(memory_bytes) in box.run(with_tests(tell), Limits(memory_bytes=memory_bytes)).detail


def test_a_standing_judge_that_was_killed_is_replaced():
    """The machine may end any process when its memory runs out."""
    with open_sandbox("landlock", workers=1) as box:
        first = judge_of(box)
        os.kill(int(first.split()[-1]), 9)
        time.sleep(0.05)
        assert box.run(with_tests("assert f(1) == 1"), LIMITS).kind == "passed"
        assert judge_of(box) != first


@LEVELS
def test_processor_time_of_earlier_tests_does_not_count_for_a_later_program(level):
    """The limit is that of each program and of its tests, not of all that a judge has judged."""
    burn = "import time\nt = time.process_time()\nwhile time.process_time() < t + 0.3: pass\nassert f(1) == 1"
    with open_sandbox(level, workers=1) as box:
        kinds = [box.run(with_tests(burn), LIMITS).kind for _ in range(6)]
    assert kinds == ["passed"] * 6
