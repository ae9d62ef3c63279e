"""A benchmark's JSON schema holds the answers of a real llama.cpp; it is sent if that is asked for, and never else."""

from __future__ import annotations

import json

import pytest

from servers.llama_cpp import EMBEDDED
from servers.plan import LaunchPlan
from servers.ports import free_port
from servers.supervisor import launch
from settings.base_url import parse_base_url
from tests.evaluation.guided_requests import SCHEMA, ask
from tests.evaluation.running_servers import asked_of, scripted_provider


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


@pytest.mark.parametrize("provider", ["local", "openai"])
def test_it_is_sent_if_asked_for_and_there_is_one(provider):
    with scripted_provider() as url:
        for guided, schema in ((True, SCHEMA), (False, SCHEMA), (True, None)):
            ask(url, guided=guided, schema=schema, provider=provider, api_key="k")
        sent = [each["body"].get("response_format") for each in asked_of(url) if each["body"]]
    assert sent == [{"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}, None, None]
