"""Signals become an exception, once, and not in the middle of what must be whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from processes.signals import Interruptions
from results.errors import BenchError, Interrupted
from tests.command_line import ENDINGS, ROOT


def test_the_first_signal_raises_and_further_ones_are_ignored():
    with pytest.raises(Interrupted, match="SIGTERM") as caught, Interruptions():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGINT)
    assert caught.value.exit_code == 143


def test_a_signal_waits_while_it_is_held():
    done = []
    with pytest.raises(Interrupted) as caught, Interruptions() as interruptions:
        with interruptions.held():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("the whole block")
        done.append("never")
    assert done == ["the whole block"]
    assert caught.value.exit_code == 130


def test_what_was_ignored_stays_ignored_and_handlers_come_back():
    """As under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interruptions():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_it_is_no_exception_that_other_code_takes_for_a_failure():
    assert not issubclass(Interrupted, Exception | BenchError)


SWALLOWED = {
    "by a bare except": "try: hit()\nexcept: pass",
    "by an except that keeps it for a moment": "try: hit()\nexcept BaseException as error: kept = error\ndel kept",
    "again and again": "for _ in range(5):\n    try: hit()\n    except: pass",
    "by an error in the clean-up": "try:\n    try: hit()\n    finally: 1 / 0\nexcept ZeroDivisionError: pass",
    "where Python drops what is raised": (
        "class Old:\n    def __del__(self): hit()\nold = Old()\nold = None"
    ),
    "where a module's lock is given up": (
        "import weakref\nclass Lock: pass\nlock = Lock()\nseen = weakref.ref(lock, lambda _: hit())\nlock = None"
    ),
    "in another thread's future": (
        "from concurrent.futures import Future\nfuture = Future()\n"
        "try: hit()\nexcept BaseException as error: future.set_exception(error)\ndel future"
    ),
}


@pytest.mark.parametrize("code", SWALLOWED.values(), ids=SWALLOWED)
@pytest.mark.parametrize(("number", "exit_code"), ENDINGS)
def test_a_signal_that_other_code_swallows_still_ends_the_program(code, number, exit_code):
    """systemd sends one SIGTERM and no second one."""
    lines = f"""
import os, sys, time
from processes.signals import Interruptions
from results.errors import Reported
def hit(): os.kill(os.getpid(), {int(number)}); time.sleep(0.01)
try:
    with Interruptions():
        exec({code!r}, globals())
        time.sleep(60)
except Reported as end:
    sys.exit(end.exit_code)
"""
    done = subprocess.run(
        [sys.executable, "-c", lines], cwd=ROOT, timeout=30, check=False, stderr=subprocess.PIPE
    )
    assert (done.returncode, done.stderr) == (exit_code, b"")


def test_what_else_python_drops_is_printed():
    lines = """
from processes.signals import Interruptions
class Broken:
    def __del__(self): 1 / 0
with Interruptions():
    Broken()
"""
    done = subprocess.run(
        [sys.executable, "-c", lines], cwd=ROOT, timeout=30, check=True, stderr=subprocess.PIPE
    )
    assert b"ZeroDivisionError" in done.stderr


def test_a_signal_during_the_orderly_end_does_not_cut_it_short():
    ended = []
    with pytest.raises(Interrupted, match="SIGINT"), Interruptions():
        try:
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            for number, _ in ENDINGS:
                os.kill(os.getpid(), number)
            time.sleep(0.01)
            ended.append("whole")
    assert ended == ["whole"]
