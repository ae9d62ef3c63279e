"""`serve` as a user starts it: one link, one server a folder, an orderly end, no secret where others could see it."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import requests

from tests.command_line import ROOT, bench_runner
from tests.web.serve_process import PATIENCE_S, Serve
from web.config import API_ROOT

pytestmark = pytest.mark.web


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def served(results):
    with Serve(results, "--port", 0) as running:
        yield running


def get(url, **more):
    return requests.get(url, timeout=PATIENCE_S, allow_redirects=False, **more)


def wait_for(what):
    deadline = time.monotonic() + PATIENCE_S
    while not (found := what()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def test_the_link_opens_once_and_another_is_printed(served, results):
    entered = get(served.link)
    assert entered.headers["location"] == "/"
    assert served.token not in entered.headers["set-cookie"]
    assert get(f"{served.url}/", cookies=entered.cookies).status_code == 200
    assert get(served.link).status_code == 410
    another = bench_runner("keys", "link", "--results-dir", results).out.strip()
    assert get(another).status_code == 303


def test_strangers_see_no_more_than_that_it_works(served):
    assert get(f"{served.url}/health").json()["parts"] is None
    assert get(f"{served.url}/metrics").status_code == 401
    assert get(f"{served.url}/").headers["location"] == "/login"


def test_everything_works_and_a_revoked_key_ends(served, results):
    session = served.by_key()
    parts = wait_for(
        lambda: (found := session.get(f"{served.url}/health").json())["status"] == "ok" and found
    )
    assert set(parts["parts"].values()) == {"ok"}
    listed = bench_runner("keys", "list", "--json", "--results-dir", results).out.splitlines()
    key_id = json.loads(listed[-1])["key_id"]
    assert bench_runner("keys", "revoke", key_id, "--results-dir", results).code == 0
    wait_for(lambda: session.get(f"{served.url}/metrics").status_code == 401)


def test_no_secret_is_where_others_could_see_it(served, results):
    secret = served.add_key()
    get(served.link)
    get(f"{served.url}/metrics", headers={"Authorization": f"Bearer {secret}"})
    found = [served.process.pid, *(each.pid for each in psutil.Process(served.process.pid).children())]
    assert len(found) == 2
    for pid in found:
        for name in ("cmdline", "environ"):
            text = Path(f"/proc/{pid}/{name}").read_bytes().decode()
            assert secret not in text
            assert served.token not in text
    for hidden in (secret, served.token):
        assert hidden not in served.said()
        for file in (results / ".serve").iterdir():
            if file.is_file():
                assert hidden.encode() not in file.read_bytes(), file
    for name in (".", "session.key", "serve.sqlite3"):
        assert (results / ".serve" / name).stat().st_mode & 0o077 == 0


def test_there_is_one_server_a_folder(served, results):
    second = bench_runner("serve", "--results-dir", results, "--port", 0)
    assert second.code == 2
    assert served.url in second.err
    assert "keys link" in second.err


def test_a_port_that_is_taken_is_named_with_its_holder(served, tmp_path):
    port = served.url.rpartition(":")[2]
    refused = bench_runner("serve", "--results-dir", tmp_path, "--port", port)
    assert refused.code == 2
    assert f"port {port} is in use by process {served.process.pid}" in refused.err


def test_only_loopback_listens(served):
    port = int(served.url.rpartition(":")[2])
    listening = [
        each.laddr.ip
        for each in psutil.Process(served.process.pid).net_connections()
        if each.status == psutil.CONN_LISTEN and each.laddr.port == port
    ]
    assert listening == ["127.0.0.1"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_in_order(tmp_path, number):
    """Also while a client keeps its connection open, and another reads a stream."""
    with Serve(tmp_path, "--port", 0) as running, contextlib.ExitStack() as stack:
        port = int(running.url.rpartition(":")[2])
        stream = running.by_link().get(f"{running.url}/live/events", stream=True, timeout=PATIENCE_S)
        stack.enter_context(stream)
        assert stream.headers["content-type"].startswith("text/event-stream")
        worker = wait_for(lambda: psutil.Process(running.process.pid).children())
        with socket.create_connection(("127.0.0.1", port)):
            assert running.stop(number) == 0
        assert "stopped; no jobs were running or waiting" in running.said()
        assert "error" not in running.said()
        assert "Traceback" not in running.said()
        assert not [each for each in worker if each.is_running()]
        assert not (tmp_path / ".serve" / "address").exists()


def test_a_signal_wakes_it():
    """It waits for the end, and doesn't look for it over and over, which would keep an idle machine awake."""
    program = """
import socket, web.serving as serving
serving.TICK_S = 3600
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"here"})
listening = socket.create_server(("127.0.0.1", 0))
ready = lambda: print(listening.getsockname()[1], flush=True)
print(serving.answer_until_signal(app, listening, ready=ready))
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert get(f"http://127.0.0.1:{int(server.stdout.readline())}/").text == "here"
            server.send_signal(signal.SIGTERM)
            assert server.communicate(timeout=PATIENCE_S)[0] == "SIGTERM\n"
        finally:
            server.kill()


def test_a_killed_one_leaves_nothing_that_hinders_the_next(tmp_path):
    """Its worker ends by itself, and a browser's session goes on at the next start."""
    with Serve(tmp_path, "--port", 0) as running:
        worker = wait_for(lambda: psutil.Process(running.process.pid).children())[0]
        cookies = get(running.link).cookies
        running.process.kill()
        running.process.wait()
        port = running.url.rpartition(":")[2]
    with Serve(tmp_path, "--port", port) as again:
        assert get(f"{again.url}/", cookies=cookies).status_code == 200
        wait_for(lambda: not worker.is_running())


def test_postgresql_takes_the_place_of_sqlite(tmp_path, postgres):
    """By $BENCH_DATABASE_URL, which stands in no argument list; keys are there, and a job that was posted."""
    env = {"BENCH_DATABASE_URL": postgres.new_database()}
    with Serve(tmp_path, "--port", 0, "--no-worker", env=env) as running:
        session = running.by_key("run")
        asked = {"suite": "human_eval", "config": {"model": "demo", "params": {"limit": 1}}}
        posted = session.post(f"{running.url}{API_ROOT}/run", json=asked, timeout=PATIENCE_S)
        assert posted.status_code == 202, posted.text
        assert session.get(f"{running.url}/health", timeout=PATIENCE_S).json()["status"] == "ok"
        assert not (tmp_path / ".serve" / "serve.sqlite3").exists()
        assert env["BENCH_DATABASE_URL"] not in " ".join(psutil.Process(running.process.pid).cmdline())
    assert "1 job is waiting" in running.last_said
