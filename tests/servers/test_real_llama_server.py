"""The real llama-server, given what users give it: it starts, or its failure is understood."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import msgspec
import pytest

from processes.process import Exit
from results.errors import ServerExited
from servers.http_probe import request
from servers.plan import LaunchPlan
from servers.ports import free_port
from servers.supervisor import launch
from servers.watchdog import progress
from settings.base_url import parse_base_url

pytestmark = pytest.mark.servers


@pytest.fixture
def plan_for(llama_server_binary):
    def plan(model, *options: str) -> LaunchPlan:
        port = free_port()
        argv = (
            str(llama_server_binary),
            "-m",
            str(model),
            "--port",
            str(port),
            "-t",
            "1",
            "-c",
            "2048",
            "-np",
            "1",
        )
        return LaunchPlan(
            kind="llama.cpp",
            argv=(*argv, "--alias", "ours", *options),
            base_url=parse_base_url(f"http://127.0.0.1:{port}"),
            model_name="ours",
        )

    return plan


def test_it_starts_generates_and_stops(plan_for, demo_model, log):
    with launch(plan_for(demo_model), log_path=log, ready_timeout_s=60) as server:
        before = progress(server)
        assert before == progress(server)
        ask = {"body": {"prompt": "Once", "max_tokens": 300, "ignore_eos": True}, "timeout_s": 60}
        client = threading.Thread(target=request, args=(server.plan.base_url, "/v1/completions"), kwargs=ask)
        client.start()
        time.sleep(0.5)
        during = progress(server)
        client.join()
        assert len({before, during, progress(server)}) == 3
        assert during.in_flight == 1
        server.restart(server.incident("to see that it can be restarted"))
        assert server.stop() < 5
        assert server.poll() == Exit(0, None)


def damaged(tmp_path, demo_model, damage):
    data = demo_model.read_bytes()
    file = tmp_path / "model.gguf"
    file.write_bytes(damage(data))
    return file


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: data[: len(data) // 2], "truncated or damaged"),
        (lambda data: data[:300], "truncated or damaged"),
        (lambda data: b"<html>not found</html>" * 50, "not a GGUF file"),
        (lambda data: b"", "truncated or damaged"),
        (lambda data: data[:4] + b"\x09" + data[5:], "this version of GGUF 9"),
    ],
)
def test_a_bad_model_file_is_told(plan_for, demo_model, log, tmp_path, damage, words):  # noqa: PLR0917 - fixtures
    with pytest.raises(ServerExited, match=words) as caught:
        launch(plan_for(damaged(tmp_path, demo_model, damage)), log_path=log, ready_timeout_s=60)
    assert caught.value.hint
    assert caught.value.log_tail


def test_a_model_that_is_missing_an_unknown_option_and_too_much_context_are_told(plan_for, demo_model, log):
    for plan, words in (
        (plan_for("/no/model.gguf"), "cannot open the model file /no/model.gguf"),
        (plan_for(demo_model, "--no-such-option"), "does not know the option --no-such-option"),
        (plan_for(demo_model, "-c", "99999999", "--fit", "off"), "this machine ran out of memory"),
    ):
        with pytest.raises(ServerExited, match=words):
            launch(plan, log_path=log, ready_timeout_s=60)


def test_missing_libraries_are_told(plan_for, demo_model, log, monkeypatch, tmp_path):
    """The loader's own message, from a copy of the binary away from its libraries."""
    plan = plan_for(demo_model)
    copy = tmp_path / "llama-server"
    copy.write_bytes(Path(plan.argv[0]).read_bytes())
    copy.chmod(0o755)
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    moved = msgspec.structs.replace(plan, argv=(str(copy), *plan.argv[1:]))
    with pytest.raises(ServerExited, match=r"shared library .* is missing"):
        launch(moved, log_path=log, ready_timeout_s=60)
