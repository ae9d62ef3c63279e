"""A program that is asked something never stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from processes.short_program import answer_of
from processes.signals import Interruptions
from results.errors import Interrupted

STARTED = subprocess.Popen._execute_child.__code__


def test_its_end_and_both_outputs_are_there():
    done = answer_of(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout_s=60)
    assert (done.returncode, done.stdout, done.stderr) == (3, b"out\n", b"err\n")


def test_one_that_can_not_be_started_is_an_error():
    with pytest.raises(FileNotFoundError):
        answer_of(["/no/such/program"], timeout_s=60)


def test_one_that_does_not_answer_is_ended():
    with pytest.raises(subprocess.TimeoutExpired):
        answer_of(["sleep", "600"], timeout_s=0.1)


@pytest.mark.parametrize("where", ["while it is started", "while it works"])
def test_a_signal_ends_it(where, tmp_path):
    """One that came just after the process began left it running."""

    def send(frame, event, _):
        if event == "return" and frame.f_code is STARTED:
            os.kill(os.getpid(), signal.SIGTERM)

    def send_later():
        while not (tmp_path / "works").exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    program = ["sh", "-c", 'touch "$0"; exec sleep 600', str(tmp_path / "works")]
    with Interruptions(), pytest.raises(Interrupted):
        if where == "while it works":
            threading.Thread(target=send_later).start()
            answer_of(program, timeout_s=60)
        else:
            threading.setprofile(send)
            sys.setprofile(send)
            try:
                answer_of(program, timeout_s=60)
            finally:
                threading.setprofile(None)
                sys.setprofile(None)
