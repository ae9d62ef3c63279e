"""Nine hundred event streams at once leave room for everybody else, and their places are free again when they end."""

from __future__ import annotations

import contextlib
import resource
import socket

import pytest

from tests.web.live_door import status_of
from tests.web.serve_process import PATIENCE_S, Serve
from web.access.connections import MOST_CONNECTIONS
from web.config import API_ROOT, Limits

pytestmark = pytest.mark.web
STREAMS = MOST_CONNECTIONS - 100  # a browser keeps connections too, and one beyond the limit is reset


@pytest.fixture(autouse=True)
def open_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = STREAMS + 500
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"this machine allows {hard} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_hundreds_of_streams_lock_nobody_out(tmp_path):
    (tmp_path / "serve.yaml").write_text("limits: {requests_per_minute: 100000}\n")
    options = ("--config", tmp_path / "serve.yaml", "--port", 0, "--no-worker")
    with Serve(tmp_path / "results", *options) as served, contextlib.ExitStack() as stack:
        ada, ben = served.by_key("run"), served.by_key("run", "ben")
        asked = {"suite": "human_eval", "config": {"model": "demo", "params": {"limit": 1}}}
        posted = ada.post(f"{served.url}{API_ROOT}/run", json=asked, timeout=PATIENCE_S)
        assert posted.status_code == 202, posted.text
        where = f"{API_ROOT}/jobs/{posted.json()['job_id']}/events"
        statuses = [status_of(_open(stack, served, where, ada)) for _ in range(STREAMS)]
        most = Limits().streams // 2
        assert statuses == [200] * most + [429] * (STREAMS - most)
        assert status_of(_open(stack, served, where, ben)) == 200
        assert ada.get(f"{served.url}/", timeout=PATIENCE_S).status_code == 200
        metrics = ben.get(f"{served.url}/metrics", timeout=PATIENCE_S).text
        assert f"bench_event_streams {most + 1}.0" in metrics
        stack.close()
        _wait_for_free_places(ben, served)
        with contextlib.ExitStack() as others:
            assert status_of(_open(others, served, where, ada)) == 200


def _open(stack, served, where, session):
    """The beginning of the answer. The connection stays open until the stack ends."""
    host, _, port = served.url.removeprefix("http://").partition(":")
    connection = stack.enter_context(socket.create_connection((host, int(port)), timeout=PATIENCE_S))
    key = session.headers["Authorization"]
    connection.sendall(
        f"GET {where} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: {key}\r\n\r\n".encode()
    )
    return connection.recv(4096)


def _wait_for_free_places(session, served):
    for _ in range(1000):
        if "bench_event_streams 0.0" in session.get(f"{served.url}/metrics", timeout=PATIENCE_S).text:
            return
    raise AssertionError("streams whose readers have gone keep their places")
