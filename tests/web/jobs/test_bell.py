"""Who waits is woken, in this process and others, and nobody looks again and again."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import signal
import subprocess
import sys
import threading

import pytest

from results.errors import ResultsError
from tests.web.jobs.conftest import add
from web.jobs.bell import Bell
from web.jobs.job import JobStatus

WITHIN_S = 60.0  # an event's; it comes at once


def test_all_waiters_wake_and_later_ones_do_not(tmp_path):
    bell = Bell(tmp_path / "bell")
    bell.ring()  # nobody is there, nor the folder
    with bell.waiter() as first, bell.waiter() as second:
        for _ in range(3):
            bell.ring()
        assert first.wait(WITHIN_S)
        assert second.wait(WITHIN_S)
        assert not first.wait(0)  # three rings are one reason to look
        with bell.waiter() as third:
            assert not third.wait(0)
    assert list((tmp_path / "bell").iterdir()) == []


def test_a_waiter_that_reads_nothing_holds_nobody_up(tmp_path):
    bell = Bell(tmp_path)
    with bell.waiter() as waiter:
        fcntl.fcntl(waiter.fileno(), fcntl.F_SETPIPE_SZ, 4096)
        for _ in range(4200):  # more than it holds
            bell.ring()
        assert waiter.wait(0)
        assert not waiter.wait(0)


def test_what_a_killed_waiter_left_goes_with_the_next_ring(tmp_path):
    code = f"""
import os, signal
from pathlib import Path
from web.jobs.bell import Bell
waiter = Bell(Path({str(tmp_path)!r})).waiter()
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 1
    (tmp_path / "other.txt").touch()
    Bell(tmp_path).ring()
    assert [path.name for path in tmp_path.iterdir()] == ["other.txt"]


def test_a_link_in_its_folder_is_not_followed(tmp_path):
    target = tmp_path / "target"
    target.write_text("kept")
    folder = tmp_path / "bell"
    folder.mkdir()
    (folder / "x.wait").symlink_to(target)
    Bell(folder).ring()
    assert target.read_text() == "kept"


def test_a_folder_that_can_not_be_made_is_an_error(tmp_path):
    (tmp_path / "bell").write_text("")
    with pytest.raises(ResultsError):
        Bell(tmp_path / "bell").waiter()


def test_a_change_wakes_who_waits(bench):
    queue = bench.queue()
    with bench.database.waiter() as waiter:
        woken = threading.Event()

        def waits():
            if waiter.wait(WITHIN_S):
                woken.set()

        thread = threading.Thread(target=waits)
        thread.start()
        job = add(queue)
        assert woken.wait(WITHIN_S)
        thread.join()
        claim = queue.claim("h", ["gpu0"])
        assert waiter.wait(WITHIN_S)
        queue.beat(claim)
        queue.claim("h", ["gpu0"])
        queue.get(job.job_id)
        assert not waiter.wait(
            0.05
        )  # what changed nothing wakes nobody: else two waiters would wake each other
        queue.cancel(job.job_id, "ada")
        assert waiter.wait(WITHIN_S)
        queue.ended(claim, JobStatus.CANCELLED)
        assert waiter.wait(WITHIN_S)
        assert waiter.fileno() >= 0


def test_a_decision_that_was_undone_wakes_nobody(bench):
    with bench.database.waiter() as waiter:
        with pytest.raises(RuntimeError), bench.database.decide() as connection:
            bench.database.ring(connection)
            raise RuntimeError
        with bench.database.decide():
            pass
        assert not waiter.wait(0.05)


def test_without_fifos_who_waits_looks_by_itself(tmp_path, monkeypatch):
    """Some file systems have none."""

    def refuses(*_):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "mkfifo", refuses)
    with Bell(tmp_path).waiter() as waiter:
        assert waiter.wait(WITHIN_S)
        assert select.select([waiter.fileno()], [], [], 0)[0] == []  # who polls it doesn't spin
