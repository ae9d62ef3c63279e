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


@pytest.mark.parametrize(("error", "stays"), [(None, True), (ResultsError, True), (ResumeMismatch, False)])
def test_a_run_that_may_not_go_on_takes_the_server_along_that_writes_into_its_folder(tmp_path, error, stays):
    """Its folder is put back as it was, and a server that stayed up would go on writing there."""
    serving = SharedServer()
    serving.keep = True
    command = f"{sys.executable} -I -S {FAKE_SERVER} --port {{port}} --model-name {{name}}"
    request = ServerRequest(kind="command", command=command, model=Model(kind="name", name="m"))
    made = serving.plan(request, nonce="ab12")
    log = tmp_path / "server.log"
    held = serving.acquire(lambda: launch(made, log_path=log, ready_timeout_s=60), log_path=log)
    try:
        serving.release(held.server, None if error is None else error("no"))
        assert (held.server.poll() is None) is stays
    finally:
        serving.close()
