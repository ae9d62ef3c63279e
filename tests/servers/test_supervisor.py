"""A server dies or hangs in the middle of a night's sweep; the run goes on and the record tells."""

from __future__ import annotations

import signal
import threading
import time

import psutil
import pytest

from processes.process import Exit
from results.errors import ServerExited, UsageError
from servers.effective import read_back
from servers.http_probe import request
from servers.server_log import ServerLog
from servers.supervisor import launch


def complete(server):
    return request(server.plan.base_url, "/v1/completions", body={"prompt": "x"}, timeout_s=5)


def test_a_crashed_server_is_restarted_on_its_port_with_the_incident_told(fake_plan, log):
    plan = fake_plan("--crash-after", "2", "--print", "first words")
    with launch(plan, log_path=log, ready_timeout_s=20) as server:
        assert complete(server).status == 200
        assert complete(server) is None
        assert server.process.wait(5) == Exit(7, None) == server.poll()
        incident = server.incident("the server died")
        server.restart(incident)
        assert complete(server).status == 200
        assert server.poll() is None
    assert incident.what == "the server died (exit code 7)"
    assert incident.time.endswith("+00:00")
    assert incident.log_tail == "first words"
    lines = [line for line in log.read_text().splitlines() if line]
    assert lines[0] == lines[2] == "first words"
    assert "restarted" in lines[1]


def test_a_hung_server_is_restarted_with_its_workers(fake_plan, log):
    plan = fake_plan("--ignore-sigterm", "--daemonise-worker", "--fork-workers", "1")
    with launch(plan, log_path=log, ready_timeout_s=20) as server:
        old = server.process.tree()
        assert len(old) == 3
        server.process.stop(grace_s=0.1)
        incident = server.incident("no progress for 120 s")
        server.restart(incident)
        assert not [pid for pid in old if psutil.pid_exists(pid)]
        assert len(server.process.tree()) == 3
        server.process.stop(grace_s=0.1)
    assert incident.what.startswith("no progress for 120 s")


def test_a_restart_that_fails_leaves_nothing_and_says_why(fake_plan, log):
    plan = fake_plan()
    with launch(plan, log_path=log, ready_timeout_s=20) as server:
        server.process.stop()
        with (
            launch(fake_plan(port=plan.base_url.port), log_path=log, ready_timeout_s=20),
            pytest.raises(UsageError, match="is in use"),
        ):
            server.restart(server.incident("the server died"))
        assert server.process.tree() == frozenset()


def test_stop_is_idempotent_and_tells_its_seconds(fake_plan, log):
    server = launch(fake_plan("--fork-workers", "1"), log_path=log, ready_timeout_s=20)
    assert server.stop() == server.stop() < 2
    assert server.poll() == Exit(None, signal.SIGTERM)


def test_a_log_of_any_bytes_and_any_size_is_read(fake_plan, log):
    """llama.cpp's own bench dies on one byte that is not UTF-8."""
    plan = fake_plan("--huge-log", "3", "--binary-log", "--exit-code", "1", "--load-seconds", "60")
    with pytest.raises(ServerExited) as caught:
        launch(plan, log_path=log, ready_timeout_s=20)
    assert caught.value.log_tail.splitlines()[-1] == "caf\ufffd \ufffd\ufffd\x00 nonsense"
    assert len(caught.value.log_tail) < 12_000
    assert log.stat().st_size > 3_000_000


def test_a_server_that_prints_without_end_fills_no_disk(fake_plan, log):
    """And what it said of its start and of its end is still found."""
    said = "load_tensors: offloaded 3/9 layers to GPU"
    plan = fake_plan(
        "--print", said, "--huge-log", "100", "--binary-log", "--exit-code", "1", "--load-seconds", "60"
    )
    with pytest.raises(ServerExited) as caught:
        launch(plan, log_path=log, ready_timeout_s=60)
    assert log.stat().st_size < 65 << 20
    assert caught.value.log_tail.splitlines()[-1] == "caf\ufffd \ufffd\ufffd\x00 nonsense"
    effective, _ = read_back(plan, ServerLog(log).text())
    assert (effective["gpu_layers"], effective["layer_count"]) == (3, 9)


def test_the_log_of_an_earlier_start_is_not_blamed(fake_plan, log):
    log.write_text("cudaMalloc failed: out of memory\n")
    with pytest.raises(ServerExited) as caught:
        launch(fake_plan("--exit-code", "1", "--load-seconds", "60"), log_path=log, ready_timeout_s=20)
    assert "memory" not in caught.value.message


def test_an_interrupt_while_it_loads_leaves_nothing(fake_plan, log):
    """Ctrl-C arrives as an exception from the caller's signal handler."""

    class Interrupt(BaseException):
        pass

    def interrupt(_number, _frame):
        raise Interrupt

    before = signal.signal(signal.SIGUSR1, interrupt)
    timer = threading.Timer(0.3, lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1))
    timer.start()
    began = time.monotonic()
    try:
        with pytest.raises(Interrupt):
            launch(fake_plan("--load-seconds", "60"), log_path=log, ready_timeout_s=60)
    finally:
        timer.join()
        signal.signal(signal.SIGUSR1, before)
    assert time.monotonic() - began < 30  # half of what it takes to load


def test_extra_environment_reaches_the_server(fake_plan, log):
    plan = fake_plan(argv=("sh", "-c", 'echo "$EXTRA"; exit 4'), env={"EXTRA": "yes"})
    with pytest.raises(ServerExited, match="exit code 4"):
        launch(plan, log_path=log, ready_timeout_s=20)
    assert log.read_text() == "yes\n"


def test_a_server_sees_no_key_but_its_own(fake_plan, log, monkeypatch):
    for name in ("OPENAI_API_KEY", "HF_TOKEN", "DB_PASSWORD"):
        monkeypatch.setenv(name, "of-the-user")
    plan = fake_plan(argv=("sh", "-c", "env; exit 4"), own_keys=frozenset({"HF_TOKEN"}))
    with pytest.raises(ServerExited, match="exit code 4"):
        launch(plan, log_path=log, ready_timeout_s=20)
    assert [line for line in log.read_text().splitlines() if "of-the-user" in line] == [
        "HF_TOKEN=of-the-user"
    ]


def test_a_missing_binary_is_bad_usage(fake_plan, log):
    with pytest.raises(UsageError, match="no such program: /no/llama-server"):
        launch(fake_plan(argv=("/no/llama-server",)), log_path=log, ready_timeout_s=20)
