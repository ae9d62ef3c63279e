"""Workers that root starts have a user each: what a program may start does not depend on other sandboxes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from sandbox import Limits, Program, SandboxError, open_sandbox
from sandbox.own_users import UIDS, OwnUsers

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
FEW = Limits(processes=20)
HOLDS = """
import sys, time
from sandbox.own_users import OwnUsers
users = OwnUsers([int(sys.argv[1])])
users.of(0)
print("there", flush=True)
time.sleep(99)
"""


@pytest.fixture
def free():
    """A function from a number to as many user ids that no sandbox chooses, and no other test now."""

    def found(count):
        users = OwnUsers(range(20_000, 59_000))
        uids = [users.of(slot) for slot in range(count)]
        users.close()
        return uids

    return found


def sixteen(at_the_end: str) -> Program:
    """It has sixteen processes once none of them has failed to start another one."""
    return Program(f"import os, select\nfor _ in range(4): os.fork()\n{at_the_end}")


@ROOT_ONLY
@pytest.mark.parametrize("busy", ["bubblewrap", "landlock", "process"])
def test_a_program_may_start_its_processes_while_another_sandbox_is_full_of_them(busy):
    """Two of one harness, which had the same user: the second program got "Resource temporarily unavailable"."""
    verdicts = []
    with open_sandbox(busy, 1) as full, open_sandbox("landlock", 1) as other:
        waiting = threading.Thread(
            target=lambda: verdicts.append(full.run(sixteen("select.select([], [], [], 0.5)"), FEW))
        )
        waiting.start()
        while waiting.is_alive():
            verdicts.append(other.run(sixteen(""), FEW))
        waiting.join()
    assert {verdict.kind for verdict in verdicts} == {"passed"}, verdicts


@pytest.mark.parametrize("level", ["bubblewrap", "landlock", "process"])
def test_a_program_may_have_as_many_processes_as_its_limit_says(level):
    code = "import os, time\nfor _ in range(MORE):\n if os.fork() == 0: time.sleep(99)"
    with open_sandbox(level, 1) as box:
        assert box.run(Program(code.replace("MORE", "19")), FEW).kind == "passed"
        if os.geteuid() == 0:
            verdict = box.run(Program(code.replace("MORE", "20")), FEW)
            assert verdict.detail == "BlockingIOError: [Errno 11] Resource temporarily unavailable"


def test_no_two_slots_have_the_same_user_not_even_of_two_sandboxes(free):
    uids = free(4)
    one, other = OwnUsers(uids), OwnUsers(uids)
    try:
        found = [users.of(slot) for slot in (0, 1) for users in (one, other)]
        assert sorted(found) == sorted(uids)
        assert [users.of(slot) for slot in (0, 1) for users in (one, other)] == found, (
            "the same when asked again"
        )
        with pytest.raises(SandboxError, match=f"from {uids[0]} to {uids[3]} is taken by another sandbox"):
            one.of(2)
        other.close()
        assert one.of(2) in found
    finally:
        one.close()
        other.close()


@ROOT_ONLY
def test_a_user_under_whom_something_runs_is_not_chosen(free):
    uids = free(2)
    left = subprocess.Popen(["sleep", "99"], user=uids[0], cwd="/")
    users = OwnUsers(uids)
    try:
        assert users.of(0) == uids[1]
    finally:
        users.close()
        left.kill()
        left.wait()


def test_a_user_is_free_again_when_the_harness_was_killed(free):
    uids = free(1)
    harness = subprocess.Popen([sys.executable, "-c", HOLDS, str(uids[0])], stdout=subprocess.PIPE)
    users = OwnUsers(uids)
    try:
        assert harness.stdout.readline() == b"there\n"
        with pytest.raises(SandboxError):
            users.of(0)
        harness.send_signal(signal.SIGKILL)
        harness.wait()
        assert users.of(0) == uids[0]
    finally:
        users.close()
        harness.kill()
        harness.communicate()


def test_all_of_them_exist_in_a_container_that_has_65536():
    assert UIDS[-1] < 65_534, "with `nobody` above them"
