"""Processes agree by locks on files: one at a time, and none is left locked by who is gone."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from results.locks import is_locked, lock
from tests.command_line import ROOT

HOLDER = """
import sys, time
from pathlib import Path
from results.locks import lock
with lock(Path(sys.argv[1]), shared=sys.argv[2] == "shared"):
    print("held", flush=True)
    time.sleep(60)
"""
COUNTER = """
import sys
from pathlib import Path
from results.locks import lock
number = Path(sys.argv[1])
for _ in range(50):
    with lock(number.with_suffix(".lock")):
        number.write_text(str(int(number.read_text()) + 1))
"""


@pytest.fixture
def holder():
    """Starts a process that holds the lock of a file."""
    started = []

    def start(path, kind="alone"):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, path, kind], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_what_somebody_holds_is_not_given_to_another(tmp_path, holder):
    path = tmp_path / "lock"
    assert not is_locked(path)
    assert not path.exists()
    holder(path)
    assert is_locked(path)
    with lock(path, within_s=0) as first, lock(path, within_s=0.05, shared=True) as second:
        assert (first, second) == (None, None)


def test_who_is_killed_gives_it_back_and_who_waits_gets_it(tmp_path, holder):
    path = tmp_path / "lock"
    process = holder(path)
    process.kill()
    with lock(path) as descriptor:
        assert os.fstat(descriptor).st_ino == path.stat().st_ino
        with lock(path, within_s=0) as again:
            assert again is None
    assert not is_locked(path)


def test_several_may_read_at_a_time(tmp_path, holder):
    path = tmp_path / "lock"
    holder(path, "shared")
    with lock(path, within_s=0, shared=True) as reader, lock(path, within_s=0) as writer:
        assert reader is not None
        assert writer is None


def test_a_folder_and_a_file_that_can_t_be_written_are_locked_too(tmp_path, holder):
    read_only = tmp_path / "lock"
    read_only.touch(mode=0o444)
    for path in (tmp_path, read_only):
        holder(path)
        with lock(path, within_s=0) as taken:
            assert taken is None


def test_no_update_is_lost_between_processes(tmp_path):
    number = tmp_path / "number"
    number.write_text("0")
    counters = [subprocess.Popen([sys.executable, "-c", COUNTER, number], cwd=ROOT) for _ in range(4)]
    assert [counter.wait(60) for counter in counters] == [0] * 4
    assert number.read_text() == "200"


def test_the_wait_is_bounded(tmp_path, holder):
    holder(tmp_path / "lock")
    began = time.monotonic()
    with lock(tmp_path / "lock", within_s=0.2) as taken:
        assert taken is None
    assert time.monotonic() - began >= 0.2
