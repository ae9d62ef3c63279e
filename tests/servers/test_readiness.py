"""Ready means ready, and ours. A benchmark against the wrong or a dead server is worse than none."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time

import psutil
import pytest

from processes.process import start
from results.errors import ServerError, ServerExited, ServerNotOurs, ServerNotReady, UsageError
from servers.http_probe import request
from servers.ports import free_port, listening_inodes
from servers.readiness import wait_ready
from servers.server_log import ServerLog
from servers.supervisor import launch


def start_foreign(plan, log):
    """A server that somebody else runs on the plan's port."""
    process = start(plan.argv, output=log.with_name("foreign.log"))
    while request(plan.base_url, "/health") is None:
        time.sleep(0.01)
    return process


def test_a_server_becomes_ready_with_its_phases_told(fake_plan, log):
    phases = []
    with launch(
        fake_plan("--load-seconds", "0.3"), log_path=log, ready_timeout_s=20, on_phase=phases.append
    ) as server:
        assert server.poll() is None
        assert server.load_s >= 0.3
    assert phases == ["starting", "loading", "checking", "probing", "ready"]


def test_readiness_is_not_slept_over(fake_plan, log):
    """A second between polls costs every run of a sweep half of it. The benchmark `readiness` measures the delay."""
    delays = []
    for _ in range(3):
        plan = fake_plan("--load-seconds", "0.4")
        turned = []

        def watch(plan=plan, turned=turned):
            while not turned:
                answer = request(plan.base_url, "/health")
                if answer is not None and answer.status == 200:
                    turned.append(time.monotonic())
                time.sleep(0.002)

        observer = threading.Thread(target=watch)
        observer.start()
        with launch(plan, log_path=log, ready_timeout_s=20):
            ready = time.monotonic()
        observer.join()
        delays.append(ready - turned[0])
    assert min(delays) < 0.4, delays


def test_what_is_seen_meanwhile_ends_the_wait_and_the_server(fake_plan, log):
    started = []

    def look():
        raise UsageError("nobody needs it any more", hint="")

    with pytest.raises(UsageError, match="nobody needs it"):
        launch(
            fake_plan("--load-seconds", "600"),
            log_path=log,
            ready_timeout_s=600,
            on_process=started.append,
            meanwhile=look,
        )
    assert started[0].poll() is not None


def test_proxy_variables_do_not_matter(fake_plan, log, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    launch(fake_plan(), log_path=log, ready_timeout_s=20).stop()


def test_a_port_in_use_is_refused_before_anything_starts(fake_plan, log):
    plan = fake_plan()
    with start_foreign(plan, log) as foreign:
        with pytest.raises(
            UsageError, match=rf"port {plan.base_url.port} is in use by process {foreign.pid} \(python"
        ):
            launch(plan, log_path=log, ready_timeout_s=20)
        assert not log.exists()


def test_a_foreign_server_on_the_port_is_not_measured(fake_plan, log):
    """vLLM's sweep took any 200 for its own server: 512 requests, 512 times 404. Here ours never listens."""
    plan = fake_plan("--never-bind")
    log_of_foreign = log
    with (
        start(plan.argv, output=log) as ours,
        start_foreign(fake_plan(port=plan.base_url.port), log_of_foreign) as foreign,
    ):
        with pytest.raises(ServerNotOurs, match=f"process {foreign.pid}") as caught:
            wait_ready(plan, ours, ServerLog(log), timeout_s=20)
        assert caught.value.command == plan.argv


def test_a_port_lost_in_a_race_is_told_with_the_winner(fake_plan, log):
    """Free at the check, taken before our server binds it."""
    plan = fake_plan("--bind-after", "0.6")
    with (
        start(plan.argv, output=log) as ours,
        start_foreign(fake_plan(port=plan.base_url.port), log) as foreign,
    ):
        with pytest.raises((ServerNotOurs, ServerExited), match=f"process {foreign.pid}"):
            wait_ready(plan, ours, ServerLog(log), timeout_s=20)
        assert foreign.poll() is None


def test_a_foreign_server_that_is_still_loading_is_not_waited_for(fake_plan, log):
    plan = fake_plan("--never-bind")
    with (
        start(plan.argv, output=log) as ours,
        start_foreign(fake_plan("--load-seconds", "60", port=plan.base_url.port), log),
        pytest.raises(ServerNotOurs),
    ):
        wait_ready(plan, ours, ServerLog(log), timeout_s=20)


SHARES_ITS_PORT = """
import http.server, sys
class Server(http.server.HTTPServer):
    def server_bind(self):
        self.socket.setsockopt(1, 15, 1)  # SOL_SOCKET, SO_REUSEPORT
        self.socket.bind(self.server_address)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def test_two_servers_that_share_the_port_are_refused(fake_plan, log):
    """SO_REUSEPORT lets a second server take half of the connections."""
    port = free_port()
    plan = fake_plan(port=port, argv=(sys.executable, "-I", "-c", SHARES_ITS_PORT, str(port)))
    with start_foreign(plan, log) as foreign, start(plan.argv, output=log) as ours:
        while len(listening_inodes(port)) < 2:
            time.sleep(0.01)
        with pytest.raises(ServerNotOurs, match=f"process {foreign.pid}"):
            wait_ready(plan, ours, ServerLog(log), timeout_s=20)


def test_a_foreign_listener_that_says_nothing_is_named(fake_plan, log):
    """Not ready in time would send the user to look into the wrong log."""
    with socket.create_server(("127.0.0.1", 0)) as foreign:
        plan = fake_plan("--never-bind", port=foreign.getsockname()[1])
        with (
            start(plan.argv, output=log) as ours,
            pytest.raises(ServerNotOurs, match=f"process {os.getpid()}"),
        ):
            wait_ready(plan, ours, ServerLog(log), timeout_s=0.1)


def test_a_worker_that_listens_for_its_leader_is_ours(fake_plan, log):
    launch(fake_plan("--worker-listens"), log_path=log, ready_timeout_s=20).stop()


def test_another_model_under_our_name_is_not_ours(fake_plan, log):
    with pytest.raises(ServerNotOurs, match="offers other"):
        launch(fake_plan("--model-name", "other"), log_path=log, ready_timeout_s=20)


def test_health_that_lies_is_found_by_a_real_token(fake_plan, log):
    """200 on /health while the engine hangs."""
    with pytest.raises(ServerNotReady, match="generated no token"):
        launch(fake_plan("--health-lies"), log_path=log, ready_timeout_s=1)


def test_a_server_that_rejects_a_plain_completion_says_why(fake_plan, log):
    with pytest.raises(ServerNotReady, match=r"returned 400 .*this server has its reasons"):
        launch(fake_plan("--reject", "400"), log_path=log, ready_timeout_s=20)


def test_the_probe_can_be_left_out(fake_plan, log):
    launch(fake_plan("--reject", "400"), log_path=log, ready_timeout_s=20, probe=False).stop()


def test_a_server_that_only_chats_is_probed_by_chat(fake_plan, log):
    launch(fake_plan("--no-completions"), log_path=log, ready_timeout_s=20).stop()


def test_the_api_key_is_sent_and_a_wrong_one_is_told(fake_plan, log):
    launch(fake_plan("--api-key", "k", api_key="k"), log_path=log, ready_timeout_s=20).stop()
    with pytest.raises(ServerError, match="rejected the API key"):
        launch(fake_plan("--api-key", "k"), log_path=log, ready_timeout_s=20)


def test_a_crash_at_the_first_token_is_an_exit(fake_plan, log):
    with pytest.raises(ServerExited, match="exit code 7"):
        launch(fake_plan("--crash-after", "0"), log_path=log, ready_timeout_s=20)


@pytest.mark.parametrize("options", [("--load-seconds", "60"), ("--never-bind",)])
def test_not_ready_in_time_tells_what_it_waited_for_and_stops_the_server(fake_plan, log, options):
    began = time.monotonic()
    with pytest.raises(
        ServerNotReady, match=r"not ready after 2 s: (/health returned 503|nothing answers)"
    ) as caught:
        launch(fake_plan(*options, "--print", "loading tensors"), log_path=log, ready_timeout_s=2)
    assert time.monotonic() - began < 30  # half of what it takes to load
    assert caught.value.log_tail == "loading tensors"
    assert "--ready-timeout" in caught.value.hint


def test_an_exit_is_not_waited_out(fake_plan, log):
    began = time.monotonic()
    with pytest.raises(ServerExited, match="exit code 3") as caught:
        launch(
            fake_plan("--exit-code", "3", "--load-seconds", "60", "--print", "oh no"),
            log_path=log,
            ready_timeout_s=60,
        )
    assert time.monotonic() - began < 30
    assert caught.value.log_tail == "oh no"
    assert caught.value.command[-1] == "oh no"


def test_attach_checks_and_leaves_the_server_alone(fake_plan, log):
    theirs = fake_plan()
    with start_foreign(theirs, log) as foreign:
        plan = fake_plan(port=theirs.base_url.port, argv=(), kind="attach")
        with launch(plan, log_path=log, ready_timeout_s=5) as server:
            assert server.process is None
            assert server.poll() is None
        assert server.stop() < 0.1
        assert psutil.pid_exists(foreign.pid)
        with pytest.raises(ServerError, match="bench_runner did not start it"):
            server.restart(server.incident("no progress"))


def test_attach_to_nobody_is_not_ready(fake_plan, log):
    plan = fake_plan(argv=(), kind="attach", port=free_port())
    with pytest.raises(ServerNotReady, match="nothing answers"):
        launch(plan, log_path=log, ready_timeout_s=0.2)


def test_an_endpoint_that_is_no_http_is_not_ready(fake_plan, log):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        plan = fake_plan(argv=(), kind="attach", port=listener.getsockname()[1])

        def babble():
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"\xff\x00 SSH-2.0\r\n\r\n")

        speaker = threading.Thread(target=babble)
        speaker.start()
        with pytest.raises(ServerNotReady):
            launch(plan, log_path=log, ready_timeout_s=0.1)
        speaker.join()
