"""A detached program outlives its starter, is found again, and is never started twice, wherever somebody is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil
import pytest

from processes.detached import (
    AlreadyRunning,
    is_running,
    running_process,
    signal_running,
    start_detached,
)
from results.errors import ResultsError
from results.locks import is_locked
from tests.command_line import ROOT, wait_for

STARTER = """
import os, signal, sys
from pathlib import Path
from processes.detached import start_detached
folder = Path(sys.argv[1])
program = ["/bin/sh", "-c", "echo x >> ran; exec sleep 60"]
process = start_detached(program, lock_file=folder / "lock", output=folder / "log", env={}, cwd=folder)
print(process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def start(folder, script, **facts):
    program = ["/bin/sh", "-c", script]
    return start_detached(
        program, lock_file=folder / "lock", output=folder / "log", cwd=folder, **{"env": {}, **facts}
    )


def ended(folder, process):
    """After the process was killed, and reaped."""
    process.wait()
    wait_for(lambda: not is_running(folder / "lock"))


def test_it_has_nothing_of_its_starter_but_the_lock(tmp_path):
    inherited = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(inherited, True)
    script = "ls -l /proc/$$/fd > fds; env > env; cat > stdin; echo out; echo err >&2; exec sleep 60"
    process = start(tmp_path, script, env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"})
    try:
        wait_for(lambda: (tmp_path / "log").read_text() == "out\nerr\n")
        found = psutil.Process(process.pid)
        assert os.getsid(process.pid) == process.pid
        links = {line.partition(" -> ")[2] for line in (tmp_path / "fds").read_text().splitlines()[1:]}
        assert links <= {"/dev/null", str(tmp_path / "log"), str(tmp_path / "lock"), str(tmp_path / "fds")}
        names = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
        assert names - {"PWD", "OLDPWD", "SHLVL", "_"} == {"PATH", "LC_ALL"}
        assert (tmp_path / "stdin").read_bytes() == b""
        assert found.cwd() == str(tmp_path)
    finally:
        os.close(inherited)
        process.kill()
        ended(tmp_path, process)


def test_it_outlives_a_killed_starter_and_is_found_and_ended_by_another(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", STARTER, tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    member = wait_for(lambda: running_process(tmp_path / "lock"))
    assert member.pid == int(done.stdout)
    with pytest.raises(AlreadyRunning):
        start(tmp_path, "echo x >> ran")
    wait_for((tmp_path / "ran").exists)
    assert signal_running(tmp_path / "lock", signal.SIGTERM)
    wait_for(lambda: not is_running(tmp_path / "lock"))
    assert (tmp_path / "ran").read_text() == "x\n"
    assert running_process(tmp_path / "lock") is None


def test_the_lock_is_held_before_it_is_known_who_holds_it(tmp_path):
    """Stopped before its first line: it runs, though nobody knows its number yet, and nothing else can be started."""
    stopped = [
        *("/bin/sh", "-c", 'kill -STOP $$; exec "$@"', "sh", sys.executable, "-I", "-S", "-c"),
        f"import sys; sys.path.append({str(ROOT)!r}); from processes.holder import main; main()",
    ]
    (tmp_path / "lock").write_text(f"{os.getpid()} 1 -\n")  # of an earlier start
    from results.locks import lock

    with lock(tmp_path / "lock", within_s=0) as descriptor:
        process = subprocess.Popen([*stopped, str(descriptor), "/bin/sleep", "60"], pass_fds=(descriptor,))
    try:
        wait_for(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)
        assert is_running(tmp_path / "lock")
        assert running_process(tmp_path / "lock") is None
        assert not signal_running(tmp_path / "lock", signal.SIGTERM)
        with pytest.raises(AlreadyRunning):
            start(tmp_path, "echo x >> ran")
        process.send_signal(signal.SIGCONT)
        assert wait_for(lambda: running_process(tmp_path / "lock")).pid == process.pid
    finally:
        process.kill()
        ended(tmp_path, process)


def test_what_it_starts_doesnt_hold_the_lock(tmp_path):
    """So a killed harness counts as dead, whatever of it is still ending."""
    script = f"import subprocess; subprocess.run(['sleep', '60'])  # {tmp_path}"
    process = start_detached(
        [sys.executable, "-c", script], lock_file=tmp_path / "lock", output=tmp_path / "log",
        env={"PATH": os.environ["PATH"]}, cwd=tmp_path,
    )  # fmt: skip
    children = wait_for(lambda: psutil.Process(process.pid).children())
    process.kill()
    process.wait()
    try:
        assert psutil.pid_exists(children[0].pid)
        wait_for(lambda: not is_locked(tmp_path / "lock"))
    finally:
        children[0].kill()


@pytest.mark.parametrize("signals", [[signal.SIGHUP], [signal.SIGTERM, signal.SIGINT]])
def test_signals_that_the_starter_ignores_reach_it(tmp_path, signals):
    before = {number: signal.signal(number, signal.SIG_IGN) for number in signals}
    try:
        process = start(tmp_path, "echo up; exec sleep 60")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    wait_for(lambda: (tmp_path / "log").read_text() == "up\n")
    process.send_signal(signals[0])
    assert process.wait(20) == -signals[0]


def test_the_number_of_another_process_is_never_signalled(tmp_path):
    from results.locks import lock

    with lock(tmp_path / "lock", within_s=0) as descriptor:
        os.pwrite(descriptor, f"{os.getpid()} 1 -\n".encode(), 0)  # its start time is another
        assert is_running(tmp_path / "lock")
        assert running_process(tmp_path / "lock") is None


def test_what_cant_be_started_is_an_error_or_in_the_log(tmp_path):
    with pytest.raises(ResultsError, match="cannot lock"):
        start(tmp_path / "gone", "true")
    (tmp_path / "log").mkdir()
    with pytest.raises(ResultsError, match="cannot write"):
        start(tmp_path, "true")
    (tmp_path / "log").rmdir()
    process = start_detached(
        ["/nowhere"], lock_file=tmp_path / "lock", output=tmp_path / "log", env={}, cwd=tmp_path
    )
    ended(tmp_path, process)
    assert (tmp_path / "log").read_text() == "cannot start /nowhere: No such file or directory\n"
