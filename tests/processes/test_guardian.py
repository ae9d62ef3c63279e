"""The guardian itself is killed or stopped: what it guards ends all the same, also what nothing marks as its own."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys

import psutil
import pytest

from processes.process import Exit, start
from tests.command_line import ROOT, wait_for

pytestmark = pytest.mark.slow

# Leaves group, session, parent and environment, and ignores SIGTERM.
DAEMON = "(env -i setsid sh -c 'trap \"\" TERM; echo > up; sleep 60 & sleep 61' &) ; sleep 62"
HARNESS = f"""
import sys, time
from pathlib import Path
from processes.process import start
process = start(["sh", "-c", {DAEMON!r}], output=Path("log"), cwd=Path.cwd())
while not Path("up").exists() or len(process.tree()) < 4: time.sleep(0.01)
print(*process.tree(), flush=True)
time.sleep(60)
"""


def guards(leader):
    """The guardian, and the backup behind it."""
    guardian = psutil.Process(leader).parent()
    return guardian, guardian.parent()


def until_gone(pids):
    wait_for(lambda: not any(psutil.pid_exists(pid) for pid in pids))


@pytest.mark.parametrize("which", [0, 1], ids=["guardian", "backup"])
def test_when_one_of_the_two_is_killed_the_tree_ends(tmp_path, which):
    with start(["sh", "-c", DAEMON], output=tmp_path / "log", cwd=tmp_path) as process:
        wait_for(lambda: (tmp_path / "up").exists() and len(process.tree()) >= 4)
        pids = {*process.tree(), *(each.pid for each in guards(process.pid))}
        guards(process.pid)[which].kill()
        ended = process.wait(30)
        assert ended == process.stop()
        assert ended.signal in {signal.SIGKILL, signal.SIGTERM}
        until_gone(pids)


def test_when_both_are_killed_what_bears_the_tree_s_mark_ends(tmp_path):
    """All that can be told of it then."""
    command = "(setsid sh -c 'trap \"\" TERM; echo > up; sleep 60 & sleep 61' &) ; sleep 62"
    with start(["sh", "-c", command], output=tmp_path / "log", cwd=tmp_path) as process:
        wait_for(lambda: (tmp_path / "up").exists() and len(process.tree()) >= 4)
        pids = process.tree()
        guardian, backup = guards(process.pid)
        for each in (backup, guardian):
            each.suspend()
        for each in (guardian, backup):  # the other way round the kernel would wake the guardian in between
            each.kill()
        assert process.wait(30) == Exit(None, signal.SIGKILL)
        until_gone(pids)


TROUBLE = [
    *(((which, number),) for which, number in itertools.product((0, 1), (signal.SIGKILL, signal.SIGSTOP))),
    ((0, signal.SIGSTOP), (1, signal.SIGSTOP)),
    ((0, signal.SIGSTOP), (0, signal.SIGKILL)),
]


@pytest.mark.parametrize("trouble", TROUBLE, ids=str)
def test_when_the_harness_dies_too_the_tree_ends(tmp_path, trouble):
    """trouble: what happens to the guardian (0) and the backup (1) just before that."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", HARNESS], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as harness:
        pids = {int(pid) for pid in harness.stdout.readline().split()}
        (leader,) = psutil.Process(harness.pid).children()[0].children()[0].children()[:1]
        two = guards(leader.pid)
        pids |= {each.pid for each in two}
        for which, number in trouble:
            two[which].send_signal(number)
        harness.kill()
    until_gone(pids)
