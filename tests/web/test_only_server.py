"""One `serve` a state folder: a second one is refused, one after another never."""

from __future__ import annotations

import threading

import pytest

from results.errors import UsageError
from results.locks import lock
from web.address_file import only_server


def test_one_that_was_just_killed_may_still_be_going(tmp_path):
    """The kernel lets go of its lock only when it has taken the process apart."""
    held, let_go = threading.Event(), threading.Event()

    def going():
        with lock(tmp_path / "serve.lock", within_s=0):
            held.set()
            let_go.wait(0.3)

    thread = threading.Thread(target=going)
    thread.start()
    held.wait()
    with only_server(tmp_path):
        thread.join()


def test_a_second_one_is_refused(tmp_path):
    with only_server(tmp_path), pytest.raises(UsageError, match="serve already runs"), only_server(tmp_path):
        pass
