"""Signals become an exception, once, and not in the middle of what must be whole."""

from __future__ import annotations

import os
import signal

import pytest

from processes.signals import Interruptions
from results.errors import Interrupted


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
