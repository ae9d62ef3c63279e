"""The fixture that watches every test sees what a program leaves behind, however it detached itself."""

from __future__ import annotations

import subprocess

from tests.command_line import wait_for
from tests.leaks import marked_processes, zombies


def test_a_process_is_seen_until_it_is_reaped():
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as process:
        assert wait_for(lambda: marked_processes().get(process.pid)) == "sleep 60 "
        assert process.pid not in zombies()
        process.kill()
        wait_for(lambda: process.pid in zombies())
    assert process.pid not in zombies()
    assert process.pid not in marked_processes()
