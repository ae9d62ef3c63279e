"""Whenever and however the harness dies, nothing of what it started is left soon after."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from servers.ports import free_port
from tests.leaks import marked_processes

ROOT = Path(__file__).parents[2]
WORST = ("--fork-workers", "2", "--daemonise-worker", "--ignore-sigterm")


def harness(tmp_path, *options):
    command = [sys.executable, "-m", "tests.programs.launch_and_wait", str(free_port())]
    return subprocess.Popen(
        [*command, str(tmp_path / "log"), *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def assert_nothing_left(before, within_s=60.0):
    began = time.monotonic()
    while left := {pid: line for pid, line in marked_processes().items() if pid not in before}:
        assert time.monotonic() - began < within_s, left
        time.sleep(0.02)


def wait_for_phase(process, phase):
    for line in process.stdout:
        if line.strip() == phase:
            return
    pytest.fail(f"the harness ended before {phase!r}")


@pytest.mark.parametrize("phase", ["starting", "loading", "probing", "ready"])
def test_kill_9_in_each_phase_leaves_nothing(tmp_path, phase):
    before = set(marked_processes())
    with harness(tmp_path, *WORST, "--load-seconds", "0.2") as process:
        wait_for_phase(process, phase)
        process.kill()
        process.wait()
        assert_nothing_left(before)


@pytest.mark.servers
def test_kill_9_at_random_instants_leaves_nothing(tmp_path):
    """From before the fork of the guardian to after readiness, and while the server forks: many starts, one by one."""
    seed = random.SystemRandom().randrange(10**6)
    print("seed", seed)
    instants = random.Random(seed)
    for _ in range(10):
        before = set(marked_processes())
        with harness(tmp_path, *WORST) as process:
            wait_for_phase(process, "starting")
            time.sleep(instants.uniform(0, 0.25))
            process.kill()
            process.wait()
            assert_nothing_left(before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("phase", ["loading", "ready"])
def test_a_signal_ends_the_server_before_the_harness(tmp_path, number, phase):
    before = set(marked_processes())
    with harness(tmp_path, "--fork-workers", "1", "--load-seconds", "0.3") as process:
        wait_for_phase(process, phase)
        process.send_signal(number)
        assert process.wait(60) == 128 + number
        assert not [line for line in marked_processes().values() if "fake_server" in line]
        assert_nothing_left(before)


def test_a_closed_terminal_leaves_nothing(tmp_path):
    """SIGHUP ends a harness that does not handle it; Ctrl-C goes to its group, which the server is not in."""
    before = set(marked_processes())
    with harness(tmp_path, *WORST) as process:
        wait_for_phase(process, "ready")
        process.send_signal(signal.SIGHUP)
        assert process.wait(60) == -signal.SIGHUP
        assert_nothing_left(before)
