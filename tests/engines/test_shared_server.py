"""One server for several runs: it stays up between them, and goes where it would be in the way."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from engines.shared_server import SharedServer
from results.errors import ResultsError, ResumeMismatch
from servers.models import Model
from servers.request import ServerRequest
from servers.supervisor import launch

FAKE_SERVER = Path(__file__).parents[1] / "programs" / "fake_server.py"


def a_kept_server(log):
    """It runs already; the function gives the server of the next run."""
    serving = SharedServer()
    serving.keep = True
    command = f"{sys.executable} -I -S {FAKE_SERVER} --port {{port}} --model-name {{name}}"
    request = ServerRequest(kind="command", command=command, model=Model(kind="name", name="m"))

    def acquire():
        made = serving.plan(request, nonce="ab12")
        return serving.acquire(lambda: launch(made, log_path=log, ready_timeout_s=60), log_path=log)

    return serving, acquire(), acquire


@pytest.mark.parametrize(("error", "stays"), [(None, True), (ResultsError, True), (ResumeMismatch, False)])
def test_a_run_that_may_not_go_on_takes_the_server_along_that_writes_into_its_folder(tmp_path, error, stays):
    """Its folder is put back as it was, and a server that stayed up would go on writing there."""
    serving, held, _ = a_kept_server(tmp_path / "server.log")
    try:
        serving.release(held.server, None if error is None else error("no"))
        assert (held.server.poll() is None) is stays
    finally:
        serving.close()


def test_a_kept_server_makes_room_for_another_and_starts_again(tmp_path):
    """A reference that is served between two runs of one configuration needs the memory."""
    serving, held, acquire = a_kept_server(tmp_path / "server.log")
    try:
        serving.release(held.server, None)
        serving.pause()
        assert held.server.poll() is not None
        again = acquire()
        assert again.is_new
        assert again.server.poll() is None
    finally:
        serving.close()
