"""The real vLLM, on the CPU: several processes, half a minute to start, and nothing of it may stay behind."""

from __future__ import annotations

import json
import os
import shutil
import time

import psutil
import pytest

from evaluation.models.failures import Refused, require_answer
from evaluation.models.tool_refusals import answer_without
from results.errors import ServerError, ServerExited
from servers.effective import read_back
from servers.http_probe import request
from servers.launch import plan
from servers.lora import Adapter
from servers.models import resolve
from servers.ports import foreign_holder, listening_inodes, socket_inodes
from servers.request import ServerRequest
from servers.supervisor import launch
from servers.watchdog import progress
from tests.evaluation.guided_requests import ask
from tests.leaks import marked_processes
from tests.servers.lora_file import peft_folder

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]

READY_TIMEOUT_S = 300.0


@pytest.fixture(scope="module", autouse=True)
def small_and_offline():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", "2")  # GiB
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


def asked(vllm_python, folder, **settings):
    settings = {"ctx_size": 1024, "parallel": 2, **settings}
    return ServerRequest(
        kind="vllm",
        model=resolve(str(folder)),
        server_binary=str(vllm_python),
        extra_args=("--enforce-eager",),
        **settings,
    )


@pytest.fixture(scope="module")
def server(small_and_offline, vllm_python, vllm_model, tmp_path_factory):
    """With an adapter; whole runs on one without are in tests/runner."""
    folder = tmp_path_factory.mktemp("vllm")
    peft_folder(folder / "peft", vllm_model)
    made = plan(asked(vllm_python, vllm_model, lora=(Adapter(folder / "peft"),)), nonce="n0nce")
    with launch(made, log_path=folder / "server.log", ready_timeout_s=READY_TIMEOUT_S) as running:
        yield running


def test_it_is_ready_under_the_name_that_only_ours_has(server, vllm_model):
    assert server.plan.model_name == f"{vllm_model.name}-n0nce"
    answer = request(
        server.plan.base_url,
        "/v1/chat/completions",
        body={
            "model": server.plan.model_name,
            "messages": [{"role": "user", "content": "What is 1 + 1?"}],
            "max_tokens": 4,
        },
        timeout_s=60,
    )
    assert answer.status == 200
    assert answer.json()["usage"]["completion_tokens"] in range(1, 5)


def test_without_a_tool_parser_it_takes_no_tools_and_we_say_what_it_needs(server):
    body = {
        "model": server.plan.model_name,
        "messages": [{"role": "user", "content": "What is 1 + 1?"}],
        "tools": [{"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}],
    }
    answer = request(server.plan.base_url, "/v1/chat/completions", body=body, timeout_s=60)
    with pytest.raises(Refused) as refused:
        require_answer(answer.status, {}, answer.body, where="it")
    with pytest.raises(ServerError, match="takes no tools") as found:
        answer_without(refused.value)
    assert "--tool-call-parser" in found.value.hint


def test_it_holds_answers_to_a_schema(server):
    model = f"{server.plan.model_name}-base"  # the adapter makes it write without end
    text = ask(server.plan.base_url.url, guided=True, name=model, api_key=server.plan.api_key or "")
    assert json.loads(text)["answer"] in {"A", "B"}


def test_its_processes_are_ours_and_one_of_them_holds_the_port(server):
    tree = server.process.tree()
    commands = {pid: " ".join(psutil.Process(pid).cmdline()) for pid in tree}
    assert any("api_server" in command for command in commands.values())
    assert any("EngineCore" in command for command in commands.values()), commands
    assert foreign_holder(server.plan.base_url.port, tree) is None
    holders = [pid for pid in tree if socket_inodes(pid) & listening_inodes(server.plan.base_url.port)]
    assert holders
    assert foreign_holder(server.plan.base_url.port, set(tree) - set(holders)).pid in holders


def test_what_is_effective_is_read_back_and_equals_what_was_asked(server, vllm_python):
    effective, differences = read_back(server.plan, server.log.text())
    assert server.plan.asked == {"ctx_size": 1024, "parallel": 2}
    assert effective["ctx_size"] == 1024
    packages = vllm_python.parent.parent.glob("lib/python3*/site-packages/vllm*.dist-info")
    assert effective["build"] in {
        package.name.removesuffix(".dist-info").partition("-")[2] for package in packages
    }
    assert effective["kv_cache_tokens"] > 2 * 1024
    assert effective["full_length_requests"] > 2
    assert differences == ()


def test_the_watchdog_sees_its_progress(server):
    before = progress(server)
    assert before == progress(server)
    body = {"model": server.plan.model_name, "prompt": "Once", "max_tokens": 8}
    assert request(server.plan.base_url, "/v1/completions", body=body, timeout_s=60).status == 200
    assert progress(server) != before


def test_an_adapter_has_the_name_that_is_asked_for_and_the_model_beside_it_answers_without(server):
    body = {"prompt": "Once upon a time", "max_tokens": 12, "temperature": 0, "ignore_eos": True}
    names = (server.plan.model_name, f"{server.plan.model_name}-base")
    answers = [
        request(server.plan.base_url, "/v1/completions", body={**body, "model": name}, timeout_s=200)
        for name in names
    ]
    applied, plain = (answer.json()["choices"][0]["text"] for answer in answers)
    assert applied != plain


def test_stop_ends_every_process_of_it(server):
    """Also the engine core, which others leave behind with the GPU's memory."""
    tree = server.process.tree()
    assert len(tree) >= 2
    seconds = server.stop()
    until = time.monotonic() + 2
    while any(psutil.pid_exists(pid) for pid in tree) and time.monotonic() < until:
        time.sleep(0.02)
    assert not [pid for pid in tree if psutil.pid_exists(pid)]
    assert not [command for command in marked_processes().values() if "vllm" in command.lower()]
    assert not listening_inodes(server.plan.base_url.port)
    assert seconds < 12


def broken(vllm_model, folder, name, content):
    """The model's folder with one file of other content."""
    copy = folder / "model"
    copy.mkdir()
    for file in vllm_model.iterdir():
        os.link(file, copy / file.name) if file.stat().st_dev == folder.stat().st_dev else shutil.copy(
            file, copy
        )
    (copy / name).unlink()
    (copy / name).write_bytes(content)
    return copy


@pytest.mark.parametrize(
    ("name", "damage", "words", "hint"),
    [
        ("config.json", lambda data: data[:100], r"configuration .*config\.json is not valid JSON", "again"),
        ("model.safetensors", lambda data: data[:100_000], "truncated or damaged", "download it again"),
        (
            "config.json",
            lambda data: json.dumps({**json.loads(data), "architectures": ["NoSuchForCausalLM"]}).encode(),
            "does not know the model's architecture.*NoSuchForCausalLM",
            "update",
        ),
    ],
    ids=["cut configuration", "cut weights", "unknown architecture"],
)
def test_a_broken_model_is_explained(vllm_python, vllm_model, tmp_path, log, name, damage, words, hint):  # noqa: PLR0917 - fixtures
    folder = broken(vllm_model, tmp_path, name, damage((vllm_model / name).read_bytes()))
    with pytest.raises(ServerExited, match=words) as caught:
        launch(plan(asked(vllm_python, folder), nonce="x"), log_path=log, ready_timeout_s=READY_TIMEOUT_S)
    assert hint in caught.value.hint
    assert caught.value.log_tail


def test_a_context_longer_than_the_models_is_explained(vllm_python, vllm_model, log):
    made = plan(asked(vllm_python, vllm_model, ctx_size=1_000_000), nonce="x")
    with pytest.raises(ServerExited, match="longer than the model's 8192 tokens") as caught:
        launch(made, log_path=log, ready_timeout_s=READY_TIMEOUT_S)
    assert "ctx-size" in caught.value.hint
