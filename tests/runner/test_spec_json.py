"""A run is written as JSON and read back whole, on another machine too."""

from __future__ import annotations

import dataclasses
import json
import shutil

import pytest

from results.errors import UsageError
from runner.fingerprint import fingerprint
from runner.request import build_spec
from runner.spec_json import decode_spec, encode_spec
from settings.asked import Asked
from sweeps.manifest.reader import parse_manifest
from sweeps.plan import plan_runs
from tests.servers.gguf_file import STRING, gguf

EVERYTHING = {
    "server_args": ("--flash-attn", "on", "-t", "1"),
    "gpu_layers": 3, "ctx_size": 1024, "parallel": 2, "port": 8099, "limit": 5, "n_samples": 2, "temperature": 0.5,
    "top_p": 0.9, "top_k": 40, "min_p": 0.1, "repeat_penalty": 1.1, "presence_penalty": -1, "max_tokens": 99, "seed": 3,
    "shuffle": 4, "prompt_style": "chat", "metrics": "bisect.bisect",
    "system_prompt": "Say ${NOTHING}, and $${NOTHING}.",
    "reasoning_effort": "low", "thinking_budget": 0, "chat_template_kwargs": '{"enable_thinking":false}',
    "sandbox": "process", "cpu_limit": 2.5, "memory_limit": 1 << 28, "ready_timeout": 9.0,
    "stall_timeout": 8.0, "request_timeout": 900.0, "rate_limit_patience": 30.0,
    "script_timeout": 7.0, "max_restarts": 0,
}  # fmt: skip


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf({"general.name": (STRING, "m")}))
    return path


def made(path, **given):
    return build_spec(Asked({"benchmark": "human_eval", "model": str(path), **given}))


def test_every_setting_comes_back_as_it_was(model):
    spec = made(model, **EVERYTHING)
    assert decode_spec(encode_spec(spec)) == spec
    assert json.loads(encode_spec(spec))["settings"]["gpu_layers"] == 3


def test_what_was_lowered_stays_lowered(model):
    spec = made(model, gpu_layers=9, ctx_size=4096)
    less = spec.with_server(dataclasses.replace(spec.server, gpu_layers=0, ctx_size=2048))
    again = decode_spec(encode_spec(less))
    assert (again.server.gpu_layers, again.server.ctx_size) == (0, 2048)
    assert again == less
    assert fingerprint(again) == fingerprint(spec)


def test_a_server_that_is_already_running_and_an_external_script_too(model, tmp_path):
    script = tmp_path / "mine.py"
    script.write_text("print(1)")
    for given in (
        {"base_url": "http://127.0.0.1:9", "model": "served"},
        {
            "script": str(script),
            "script_args": ("--url", "{base_url}"),
            "parser": "json",
            "benchmark": "mine",
        },
        {"benchmark": "tasks", "sample": "3"},
        {"as_published": True},
    ):
        spec = made(model, **given)
        assert decode_spec(encode_spec(spec)) == spec


def test_variables_are_filled_in_where_the_run_happens(model, monkeypatch):
    monkeypatch.setenv("KEY", "here")
    text = '{"runs": [{"benchmark": "human_eval", "model": "m.gguf", "server_args": ["--key=${KEY}"]}]}'
    (run,) = plan_runs(parse_manifest(text, form="json", name="m", folder=model.parent)).runs
    data = encode_spec(run.spec)
    assert b"here" not in data
    monkeypatch.setenv("KEY", "there")
    assert decode_spec(data).server.extra_args == ("--key=there",)


def test_a_model_is_its_content_wherever_it_is(model, tmp_path):
    data = encode_spec(made(model))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.move(model, elsewhere)
    with pytest.raises(UsageError, match=r"m\.gguf is not on this machine"):
        decode_spec(data)
    assert decode_spec(data, look_in=[elsewhere]).server.model.path == elsewhere / "m.gguf"
    model.write_bytes(gguf({"general.name": (STRING, "another")}))
    with pytest.raises(UsageError, match="is not the requested model") as error:
        decode_spec(data)
    assert "would run another model" in error.value.hint
    assert decode_spec(data, look_in=[elsewhere]).server.model.path == elsewhere / "m.gguf"


@pytest.mark.parametrize("asked", [{}, {"model": "demo"}])
def test_the_demo_model_is_fetched_where_it_is_not_at_its_path(demo_model, asked):
    """And in the same way a model on the Hub: each machine has its cache elsewhere."""
    written = json.loads(encode_spec(build_spec(Asked({"benchmark": "human_eval", **asked}))))
    written["model"]["path"] = "/another/home/.cache/SmolLM2.gguf"
    assert decode_spec(json.dumps(written).encode()).server.model.path == demo_model
    written["model"]["sha256"] = "0" * 64
    with pytest.raises(UsageError, match="is not the requested model"):
        decode_spec(json.dumps(written).encode())


def test_a_name_given_in_a_manifest_is_kept(model):
    text = '{"runs": [{"benchmark": "human_eval", "model": {"path": "m.gguf", "name": "best"}}]}'
    (run,) = plan_runs(parse_manifest(text, form="json", name="m", folder=model.parent)).runs
    assert decode_spec(encode_spec(run.spec)).server.model.name == "best"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 99}, "version 99"),
        ({"settings": {"no_such": 1}}, "there is no setting no_such"),
        ({"settings": {"limit": 0}}, "0 is out of range"),
        ({"settings": 3}, "not a run in JSON"),
    ],
)
def test_what_is_no_run_of_this_version_is_refused(model, change, message):
    document = json.loads(encode_spec(made(model)))
    with pytest.raises(UsageError, match=message):
        decode_spec(json.dumps(document | change).encode())
