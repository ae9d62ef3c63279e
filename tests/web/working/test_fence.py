"""A fence ends a sweep whose worker is silent, before another host may take its job, and never another process."""

from __future__ import annotations

import os
import signal
import threading
import time

from processes.detached import is_running, start_detached
from tests.command_line import wait_for
from web.working.fence import command, watch
from web.working.fencing import Fences
from web.working.job_folder import AttemptFolder


def start(folder, script):
    return start_detached(
        ["/bin/sh", "-c", script], lock_file=folder / "lock", output=folder / "log", env={}, cwd=folder
    )


def test_a_silent_worker_s_sweep_is_asked_to_end_and_then_killed(tmp_path):
    stubborn = start(tmp_path, "trap 'echo asked' TERM; echo up; while :; do sleep 0.05; done")
    wait_for(lambda: (tmp_path / "log").read_text() == "up\n")
    watch(tmp_path / "lock", tmp_path / "beat", 0.05, 0.6, look_s=0.02)
    assert stubborn.wait() == -signal.SIGKILL
    assert (tmp_path / "log").read_text() == "up\nasked\n"


def test_as_long_as_the_worker_is_heard_nothing_happens(tmp_path):
    beat = tmp_path / "beat"
    beat.touch()
    process = start(tmp_path, "exec sleep 60")
    watcher = threading.Thread(
        target=watch, args=(tmp_path / "lock", beat, 60.0, 90.0), kwargs={"look_s": 0.01}
    )
    watcher.start()
    for number in range(20):
        os.utime(beat, ns=(number, number))
        time.sleep(0.01)
    assert process.poll() is None
    process.kill()
    process.wait()
    watcher.join(20)
    assert not watcher.is_alive()


def test_a_fence_is_a_program_that_ends_with_the_sweep(tmp_path):
    folder = AttemptFolder.of(tmp_path, "job", 1)
    folder.make("{}")
    process = start(folder.path, "exec sleep 60")
    Fences(shared=False).guard(folder)
    fences = Fences(shared=True, lease_s=600)
    fences.heard(folder)
    fences.guard(folder)
    fences.guard(folder)
    (fence,) = fences._running.values()
    assert fence.args == command(folder.lock, folder.path / "beat", 600)
    assert fence.poll() is None
    process.kill()
    process.wait()
    assert fence.wait(60) == 0
    assert not is_running(folder.lock)
