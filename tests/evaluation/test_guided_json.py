"""A benchmark's JSON schema holds the answers of a real llama.cpp; it is sent if that is asked for, and never else."""

from __future__ import annotations

import asyncio
import json

import pytest

from evaluation.models.connection import build_connection_info
from evaluation.models.providers import get_interface_for_provider
from evaluation.models.sampling import Sampling
from evaluation.protocols import PromptStyle, Request
from servers.launch import plan
from servers.llama_cpp import EMBEDDED
from servers.models import resolve
from servers.plan import LaunchPlan
from servers.ports import free_port
from servers.request import ServerRequest
from servers.supervisor import launch
from settings.base_url import parse_base_url
from tests.evaluation.running_servers import asked_of, scripted_provider

SCHEMA = {
    "type": "object",
    "properties": {"answer": {"enum": ["A", "B"]}},
    "required": ["answer"],
    "additionalProperties": False,
}


def ask(url, *, guided, provider="local", name="m", schema=SCHEMA, **config):
    request = Request(
        task_id="t", index=0, style=PromptStyle.CHAT, system="", user="Tell me about the sea.", json_schema=schema,
        sampling=Sampling(seed=1, max_tokens=24),
    )  # fmt: skip
    info = build_connection_info(
        provider, {"base_url": url, "model": name, "use_guided_json": guided, "timeout": 100, **config}
    )

    async def main():
        async with get_interface_for_provider(info) as reached:
            return await reached.generate(request)

    found = asyncio.run(main())
    assert found.error == ""
    return found.text


@pytest.fixture(scope="module")
def url(demo_model, tmp_path_factory):
    port = free_port()
    argv = (*EMBEDDED, "-m", str(demo_model), "--port", str(port), "-t", "1", "-c", "512")
    made = LaunchPlan(kind="embedded", argv=argv, base_url=parse_base_url(f"http://127.0.0.1:{port}"))
    with launch(made, log_path=tmp_path_factory.mktemp("log") / "server.log", ready_timeout_s=60) as server:
        yield server.plan.base_url.url


def test_llama_cpp_holds_answers_to_it(url):
    assert json.loads(ask(url, guided=True))["answer"] in {"A", "B"}
    with pytest.raises(ValueError):
        json.loads(ask(url, guided=False))


@pytest.mark.servers
@pytest.mark.timeout(600)
def test_vllm_holds_answers_to_it(vllm_python, vllm_model, tmp_path, monkeypatch):
    for name, value in (("VLLM_CPU_KVCACHE_SPACE", "1"), ("HF_HUB_OFFLINE", "1"), ("OMP_NUM_THREADS", "1")):
        monkeypatch.setenv(name, value)
    asked = ServerRequest(
        kind="vllm", model=resolve(str(vllm_model)), server_binary=str(vllm_python), ctx_size=512, parallel=1,
        extra_args=("--enforce-eager",),
    )  # fmt: skip
    with launch(plan(asked, nonce="n0nce"), log_path=tmp_path / "log", ready_timeout_s=300) as running:
        name, where = running.plan.model_name, running.plan.base_url.url
        text = ask(where, guided=True, name=name, api_key=running.plan.api_key or "")
    assert json.loads(text)["answer"] in {"A", "B"}


@pytest.mark.parametrize("provider", ["local", "openai"])
def test_it_is_sent_if_asked_for_and_there_is_one(provider):
    with scripted_provider() as url:
        for guided, schema in ((True, SCHEMA), (False, SCHEMA), (True, None)):
            ask(url, guided=guided, schema=schema, provider=provider, api_key="k")
        sent = [each["body"].get("response_format") for each in asked_of(url) if each["body"]]
    assert sent == [{"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}, None, None]
