"""The server in our own environment: starts, answers, ends at once, and tells why it can't start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from processes.process import Exit
from results.errors import ServerError, ServerExited
from servers.effective import gives_prompt_logprobs, read_back
from servers.http_probe import request
from servers.launch import plan
from servers.llama_cpp import EMBEDDED
from servers.models import resolve
from servers.plan import LaunchPlan
from servers.ports import free_port
from servers.request import ServerRequest
from servers.supervisor import launch
from servers.watchdog import progress
from settings.base_url import parse_base_url

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture
def made(demo_model, monkeypatch, tmp_path):
    """A function: extra arguments and fields of the request -> the plan of the embedded server."""
    monkeypatch.setenv("PATH", str(tmp_path))  # no llama-server there
    monkeypatch.delenv("LLAMA_SERVER", raising=False)
    monkeypatch.delenv("LLAMA_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)

    def make(*extra_args, **fields):
        fields = {"ctx_size": 512, "parallel": 2, **fields}
        extra_args = ("-t", "1", "--no-warmup", *extra_args)
        return plan(
            ServerRequest(model=resolve(str(demo_model)), extra_args=extra_args, **fields), nonce="n0nce"
        )

    return make


def bare(model, *options, port=None):
    """A plan that nothing was checked for."""
    port = port or free_port()
    argv = (*EMBEDDED, "-m", str(model), "--port", str(port), "-t", "1", "-c", "256", *options)
    return LaunchPlan(kind="embedded", argv=argv, base_url=parse_base_url(f"http://127.0.0.1:{port}"))


def complete(server, tokens, prompt="Once upon a time"):
    body = {"prompt": prompt, "max_tokens": tokens, "temperature": 0, "ignore_eos": True}
    return request(
        server.plan.base_url, "/v1/completions", body=body, timeout_s=60, api_key=server.plan.api_key
    )


def test_it_starts_answers_and_is_what_was_asked_for(made, log):
    with launch(
        made("-ctk", "q8_0", "-ctv", "q8_0", "-fa", "on"), log_path=log, ready_timeout_s=60
    ) as server:
        answer = complete(server, 4)
        assert answer.status == 200
        assert answer.json()["usage"]["completion_tokens"] == 4
        assert gives_prompt_logprobs(server.plan, "m") is False
        effective, differences = read_back(server.plan, server.log.text())
        before = progress(server)
        complete(server, 2, "Another")
        assert "prompt cache is disabled" in server.log.text()
        assert progress(server) != before
        assert b"llamacpp:" in request(server.plan.base_url, "/metrics").body
        server.process.stop()
        assert server.poll() == Exit(0, None)
    assert server.plan.asked == {"ctx_size": 512, "parallel": 2}
    assert differences == ()
    expected = {
        "ctx_size": 512,
        "parallel": 2,
        "cache_type_k": "q8_0",
        "cache_type_v": "q8_0",
        "flash_attention": "enabled",
        "threads": 1,
        "context_length_trained": 8192,
        "parameter_count": 134_515_008,
    }
    assert {name: effective[name] for name in expected} == expected
    assert effective["build"]
    assert len(effective["chat_template_sha256"]) == 64


def test_layers_without_a_gpu_are_a_difference_that_is_told(made, log):
    with launch(made(gpu_layers=80), log_path=log, ready_timeout_s=60) as server:
        effective, differences = read_back(server.plan, server.log.text())
    assert effective["gpu_layers"] == 0
    assert differences == ("asked for 80 GPU layers: 0 were offloaded, no usable GPU was found",)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_at_once_also_while_it_generates(made, log, ending):
    with launch(made(), log_path=log, ready_timeout_s=60) as server:
        answers = []
        client = threading.Thread(target=lambda: answers.append(complete(server, 450)))
        client.start()
        until = time.monotonic() + 60
        while progress(server).in_flight == 0 and time.monotonic() < until:
            time.sleep(0.02)
        assert progress(server).in_flight == 1
        (leader,) = [
            pid for pid in server.process.tree() if b"embedded" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]
        os.kill(leader, ending)
        assert server.process.wait(60) == Exit(0, None)
        client.join()
        assert answers == [None], "it wrote the answer to its end before"


def test_its_key_is_not_on_the_command_line_and_is_asked_for(made, log, monkeypatch):
    monkeypatch.setenv("LLAMA_API_KEY", "first-key, second-key")
    one = made()
    assert "key" not in " ".join(one.argv)
    with launch(one, log_path=log, ready_timeout_s=60) as server:
        assert complete(server, 1).status == 200
        assert request(one.base_url, "/v1/completions", body={"prompt": "x", "max_tokens": 1}).status == 401
        with pytest.raises(ServerError, match="rejected the API key"):
            launch(replace(one, api_key="wrong", argv=()), log_path=log, ready_timeout_s=5)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: data[: len(data) // 2], "truncated or damaged"),
        (lambda data: data[:300], "truncated or damaged"),
        (lambda data: b"<html>not found</html>" * 50, "not a GGUF file"),
        (lambda data: data[:4] + b"\x09" + data[5:], "this version of GGUF 9"),
    ],
    ids=["half", "header cut", "no GGUF", "version 9"],
)
def test_a_bad_model_file_is_told(demo_model, log, tmp_path, damage, words):
    """What the header's reader does not see, or sees too early: the file may change before the server reads it."""
    file = tmp_path / "model.gguf"
    file.write_bytes(damage(demo_model.read_bytes()))
    with pytest.raises(ServerExited, match=rf"exit code 1\): .*{words}") as caught:
        launch(bare(file), log_path=log, ready_timeout_s=60)
    assert caught.value.hint
    assert caught.value.log_tail


def test_a_model_that_is_gone_an_unknown_option_and_too_much_context_are_told(demo_model, log):
    for one, words in (
        (bare("/no/model.gguf"), r"exit code 1\): it cannot open the model file /no/model.gguf"),
        (
            bare(demo_model, "--no-such-option"),
            r"exit code 2\): it does not know the option --no-such-option",
        ),
        (
            bare(demo_model, "-c", "20000000", "--fit", "off"),
            r"exit code 1\): this machine ran out of memory",
        ),
    ):
        with pytest.raises(ServerExited, match=words):
            launch(one, log_path=log, ready_timeout_s=60)


def run_alone(*words):
    """As a user would try it: exit code and stderr."""
    command = [sys.executable, "-m", "servers.embedded", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stderr


def test_a_taken_port_is_told_and_is_exit_code_1(demo_model):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = run_alone("-m", str(demo_model), "--port", str(port))
    assert code == 1
    assert (
        f"couldn't bind HTTP server socket, hostname: 127.0.0.1, port: {port} (Address already in use)"
        in said
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--no-such-option"], "unrecognized arguments: --no-such-option"),
        (["--port", "x"], "'x' is not a number"),
        (["--port", "65536"], "must be 0 to 65535"),
        (["--ctx_size", "-5"], "must not be negative"),
        (["-np", "0"], "must be at least 1"),
        (["-ngl", "some"], "'some' is not a number"),
        (["-ctk", "q9"], "invalid choice: 'q9'"),
    ],
)
def test_a_wrong_option_is_exit_code_2(words, said):
    code, printed = run_alone("-m", "x", *words)
    assert code == 2
    assert said in printed
