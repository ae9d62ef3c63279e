"""From the first instant to the last, a signal ends the command line with one line and its exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.command_line import ENDINGS, PROGRAM, ROOT, signalled

pytestmark = pytest.mark.slow

CONSOLE_SCRIPT = "import sys; sys.argv[0] = 'bin/bench-runner'; from bench_runner import main; main()"
SLOW = "open(__file__ + '.here', 'w').close()\nimport time\ntime.sleep(60)\n"


@pytest.mark.parametrize("module", ["sitecustomize", "click"])
@pytest.mark.parametrize(("number", "code"), ENDINGS)
def test_a_signal_while_modules_are_imported(tmp_path, module, number, code):
    """Those of the installation, and those of ours."""
    (tmp_path / f"{module}.py").write_text(SLOW)
    done = signalled(number, "list", env={"PYTHONPATH": str(tmp_path)},
                     when=lambda _: (tmp_path / f"{module}.py.here").exists())  # fmt: skip
    assert (done.code, done.out, done.err) == (code, "", f"interrupted: stopped by {number.name}\n")


@pytest.mark.parametrize(("number", "code"), ENDINGS)
def test_a_signal_while_the_installed_command_imports_its_modules(tmp_path, number, code):
    (tmp_path / "click.py").write_text(SLOW)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    with subprocess.Popen(
        [sys.executable, "-c", CONSOLE_SCRIPT, "list"], env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        while not (tmp_path / "click.py.here").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        assert process.communicate(timeout=30)[1] == f"interrupted: stopped by {number.name}\n"
    assert process.returncode == code


@pytest.mark.parametrize(("number", "code"), ENDINGS[:2])
def test_a_signal_at_any_instant_of_the_start(tmp_path, number, code):
    """Before Python runs it ends the shell, which has not begun anything either; at the end the command was faster."""
    seen = set()
    for milliseconds in range(0, 200, 5):
        process = subprocess.Popen(
            [PROGRAM, "list", "--results-dir", tmp_path],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        time.sleep(milliseconds / 1000)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        said = [
            line for line in err.splitlines() if not line.startswith("no runs in ")
        ]  # what `list` says itself
        seen.add((process.returncode, *said))
    assert seen <= {(-number,), (code, f"interrupted: stopped by {number.name}"), (0,)}


AT_EACH_STEP = """
import os, sys
sys.argv = ["bin/bench-runner", "--version"]
from commands import standard_streams
from processes.signals import Interruptions
from results import open_files
import bench_runner
EDGES = [getattr(Interruptions, name).__code__ for name in ("__enter__", "__exit__")]

def at(step):
    left = step
    def trace(frame, event, arg):
        nonlocal left
        caller = frame
        while caller and caller.f_code not in EDGES:
            caller = caller.f_back
        if caller is None:
            return None
        frame.f_trace_opcodes = True
        left -= 1
        if left == 0:
            sys.settrace(None)
            os.kill(os.getpid(), %d)
        return trace
    sys.settrace(trace)
    try:
        bench_runner.follow_command_line()
    finally:
        sys.settrace(None)
        if left > 0:
            os._exit(99)

code, step = 0, 0
while code != 99:
    step += 1
    if (child := os.fork()) == 0:
        at(step)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print("code", code, flush=True)
"""


@pytest.mark.servers
def test_a_signal_at_any_instant_of_taking_and_giving_back_the_handlers():
    """The error that it raises within main would not be caught there. Tried at each step of the interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", AT_EACH_STEP % signal.SIGTERM],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    codes = [line for line in done.stdout.splitlines() if line.startswith("code")]
    assert len(codes) > 100
    assert codes == ["code 143"] * (len(codes) - 1) + ["code 99"]
    assert done.stderr == "interrupted: stopped by SIGTERM\n" * (len(codes) - 1)


def test_what_nohup_ignores_stays_ignored(tmp_path):
    (tmp_path / "click.py").write_text(SLOW.replace("60", "0.5") + "raise SystemExit(7)\n")
    command = f"trap '' HUP; exec {PROGRAM} list"
    with subprocess.Popen(["sh", "-c", command], env={**os.environ, "PYTHONPATH": str(tmp_path)}) as process:
        while not (tmp_path / "click.py.here").exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGHUP)
        assert process.wait(30) == 7
