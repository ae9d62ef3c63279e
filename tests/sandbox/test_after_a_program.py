"""Programs that try to outlive their end, or to harm the process of the tests, which stays."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from sandbox import Limits, Program, open_sandbox, seccomp
from sandbox.bubblewrap import Bubblewrap
from sandbox.contract import UnitTests
from sandbox.inside import zygote
from sandbox.inside.forks import SYS_CLONE
from sandbox.landlock import Landlock
from sandbox.pool import Pool

LIMITS = Limits(cpu_s=1)
LEVELS = pytest.mark.parametrize("level", ["bubblewrap", "landlock"])
ALSO_BARE = pytest.mark.parametrize("level", ["bubblewrap", "bubblewrap without seccomp", "landlock"])
CLONE = f"""
import ctypes, os, socket, threading, time
libc = ctypes.CDLL(None)
def clone(flags):
    return libc.syscall({SYS_CLONE[os.uname().machine]}, ctypes.c_ulong(flags), 0, 0, 0, 0)
"""
CLONE_PARENT, SIGCHLD = 0x8000, signal.SIGCHLD.value
STAY = "time.sleep(60); os._exit(0)"
# One for which no plain wait of its own parent waits is one for which the zygote would not look, if it stayed so.
STRAYS = {
    "no signal at its end": f"if clone(0) == 0: {STAY}",
    "another signal at its end": f"if clone({signal.SIGUSR1.value}) == 0: {STAY}",
    "a sibling": f"if clone({CLONE_PARENT}) == 0: {STAY}",
    "a sibling with a signal": f"if clone({CLONE_PARENT | SIGCHLD}) == 0: {STAY}",
    "a sibling of one without": f"""if clone(0) == 0:
  if clone({CLONE_PARENT}) == 0: {STAY}
  {STAY}""",
    "siblings without an end": f"""if clone(0) == 0:
  while True:
   if clone({CLONE_PARENT}) == 0: {STAY}
   time.sleep(0.001)""",
    "an orphan of an orphan": f"""if clone(0) == 0:
  if clone(0) == 0: {STAY}
  os._exit(0)""",
    "one that takes in orphans": f"""libc.prctl(36, 1, 0, 0, 0)
 if clone(0) == 0:
  if clone(0) == 0: {STAY}
  os._exit(0)""",
    "one that is stopped": f"""pid = os.fork()
 if pid == 0: {STAY}
 os.kill(pid, {signal.SIGSTOP.value})""",
    "one whose first thread ended": """if os.fork() == 0:
  threading.Thread(target=time.sleep, args=(60,)).start()
  libc.pthread_exit(None)""",
}


def with_tests(code: str = "def f(x): return x", tests: str = "assert f(1) == 1") -> Program:
    return Program(code=code, tests=UnitTests(code=tests, entry_point="f"))


def opened(level: str) -> Pool:
    launcher = Landlock() if level == "landlock" else Bubblewrap()
    if level.endswith("without seccomp"):
        launcher._filter = None
    return Pool(launcher, 1)


def below(box: Pool) -> list[psutil.Process]:
    """The zygote, and all that live below it: first the process of the tests, where one stands."""
    found = psutil.Process(box._slots[0].worker._process.pid).children(recursive=True)
    return [process for process in found if alive(process)]


def alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


@ALSO_BARE
def test_no_stray_is_left_however_it_was_made(level):
    with opened(level) as box:
        for name, stray in STRAYS.items():
            assert box.run(with_tests(f"{CLONE}\ndef f(x):\n {stray}\n return x"), LIMITS).kind == "passed", (
                name
            )
            assert box.run(with_tests(), LIMITS).kind == "passed", name
            assert len(below(box)) <= 2, name


@LEVELS
def test_no_program_makes_a_sibling(level):
    """On older kernels it could become a child of the zygote that the wait after a program does not see."""
    code = (
        f"{CLONE}\ndef f(x):\n pid = clone({CLONE_PARENT | SIGCHLD})\n if pid == 0: os._exit(0)\n return pid"
    )
    with opened(level) as box:
        assert box.run(with_tests(code, "assert f(1) == -1, f(1)"), LIMITS).kind == "passed"


def test_a_judge_stands_only_where_system_calls_are_filtered():
    """What no filter refuses a program may do to it by its number: take its memory, its processors, its files."""
    assert set(SYS_CLONE) == set(seccomp._TABLES)


@LEVELS
@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL, signal.SIGUSR1, signal.SIGINT])
def test_a_judge_that_was_signalled_after_its_word_costs_the_next_program_nothing(level, number):
    """Under bubblewrap a program can do so, if it hits the moment between the word and its own end."""
    with opened(level) as box:
        for pause_s in (0.0, 0.0, 0.0, 0.05):
            assert box.run(with_tests(), LIMITS).kind == "passed"
            _zygote, judge = below(box)
            judge.send_signal(number)
            time.sleep(pause_s)
            began = time.monotonic()
            assert box.run(with_tests(), LIMITS).kind == "passed"
            # A stopped one used to be waited for until the limit of idle time, and 5 s more.
            assert time.monotonic() - began < 5
            assert number != signal.SIGSTOP or below(box)[1].pid == judge.pid


# Files in descriptors that are on their way through a socket that is on its way through itself.
IN_FLIGHT = """
import os, socket
def f(x):
    one, other = socket.socketpair()
    files = [os.open(str(n), os.O_WRONLY | os.O_CREAT) for n in range(5)]
    try:
        for file in files * 60:
            os.write(file, bytes(1 << 20))
    except OSError:
        pass
    try:
        while True:
            os.write(files[4], bytes(4096))
    except OSError:
        pass
    try:
        for _ in range(9):
            socket.send_fds(one, [b"."], [*files, one.fileno(), other.fileno()] + files[:1] * 90)
    except OSError:
        return x
"""


def test_a_program_finds_an_empty_folder_though_the_one_before_left_descriptors_on_their_way():
    """Its input is a file there: where that could not be written the run ended, with nothing wrong but the program."""
    script = Program(code="print(len(input()))", stdin="." * 10_000, script=True)
    size = "import os\ndef f(x):\n s = os.statvfs('.')\n return s.f_blocks - s.f_bfree"
    with opened("bubblewrap") as box:
        for following in (script, with_tests(size, "assert f(1) == 0, f(1)")):
            assert box.run(with_tests(IN_FLIGHT), Limits()).kind == "passed"
            assert box.run(following, LIMITS).kind == "passed"


@pytest.mark.parametrize("level", ["bubblewrap", "landlock", "process"])
def test_where_a_program_left_nothing_its_verdict_says_so_and_else_the_next_one_waits(level):
    writes = "import os\nopen('left', 'w').close()\ndef f(x): return os.listdir() == ['left'] and x"
    hides = "import os\nos.chmod('.', 0)\ndef f(x): return x"
    with open_sandbox(level, workers=1) as box:
        for code, nothing in ((with_tests().code, True), (writes, False), (hides, True), (writes, False)):
            assert box.run(with_tests(code), LIMITS).kind == "passed"
            assert box._slots[0].worker._clean == nothing


def test_a_folder_that_a_program_removed_is_met_only_once_its_verdict_is_known(monkeypatch, tmp_path):
    gone = zygote.ZygoteSetup(writable=(str(tmp_path / "gone"),), own_namespace=False)
    monkeypatch.setattr(zygote, "SETUP", gone)
    assert not zygote.left_nothing()


def test_what_a_program_left_is_seen_also_where_a_file_system_does_not_count_files(tmp_path):
    """As gVisor's does not."""
    alone = ["unshare", "--user", "--map-root-user", "--mount"]
    mounted = "mount -t tmpfs -o nr_inodes=0 none ."
    if subprocess.run(
        [*alone, "sh", "-c", mounted], cwd=tmp_path, capture_output=True, check=False
    ).returncode:
        pytest.skip("nothing can be mounted here")
    looks = """if True:
        from sandbox.inside import zygote
        folder, = zygote.SETUP.writable
        zygote._files_when_empty[folder] = zygote.files_in(folder)
        assert zygote.files_in(folder) == 0 and zygote.left_nothing()
        open(folder + "/left", "w").close()
        assert zygote.files_in(folder) == 0 and not zygote.left_nothing()"""
    setup = f"from sandbox.inside import zygote; zygote.SETUP = zygote.ZygoteSetup(writable=({str(tmp_path)!r},))\n"
    shell = f'cd "$2" && {mounted} && cd "$0" && exec "$1" -c "$3"'
    arguments = [str(Path.cwd()), sys.executable, str(tmp_path), setup + looks]
    subprocess.run([*alone, "sh", "-c", shell, *arguments], check=True, timeout=30)


@pytest.mark.parametrize("level", ["bubblewrap", "landlock", "process"])
def test_programs_start_warm_without_a_module_that_each_fork_would_seed(level):
    code = "import os, sys\ndef f(name): return name in sys.modules or name in os.environ"
    tests = "assert f('typing')\nassert not f('random')\nassert not f('LD_BIND_NOW')\nassert not f('sample')"
    with open_sandbox(level, workers=1) as box:
        assert box.run(with_tests(code, tests), LIMITS).kind == "passed"
