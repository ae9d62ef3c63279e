"""Two runs have one fingerprint when their results may be told to be of the same run, and not otherwise."""

from __future__ import annotations

import os
import shutil

import pytest

from results.errors import UsageError
from runner.fingerprint import determining, fingerprint, served_by
from runner.request import build_spec
from settings.asked import Asked
from settings.setting import Determines
from settings.table import TABLE
from tests.servers.gguf_file import STRING, gguf

# Settings that may differ between two runs of one result.
INDIFFERENT = {
    "scoring": True,
    "weights": "correctness=1,speed=2",
    "speed_baseline": "last",
    "speed_target_s": 2.0,
    "port": 8099,
    "shards": 4,
    "ready_timeout": 5.0,
    "stall_timeout": 5.0,
    "request_timeout": 5.0,
    "rate_limit_patience": 5.0,
    "script_timeout": 5.0,
    "max_restarts": 9,
    "sandbox": "process",
    "max_tokens_total": 5000,
    "cache": True,
    "cache_size": 1 << 30,
    "health_path": "/",
}
DETERMINING = {
    "gpu_layers": 3,
    "ctx_size": 512,
    "parallel": 2,
    "server_args": ("-fa", "on"),
    "limit": 3,
    "shard": "2/4",
    "n_samples": 2,
    "temperature": 0.5,
    "max_tokens": 9,
    "seed": 7,
    "shuffle": 7,
    "metrics": "bisect.bisect",
    "prompt_style": "chat",
    "gpu_memory_utilization": 0.5,
    "tensor_parallel_size": 2,
    "top_p": 0.9,
    "top_k": 40,
    "min_p": 0.05,
    "repeat_penalty": 1.1,
    "presence_penalty": 0.5,
    "system_prompt": "Be brief.",
    "reasoning_effort": "low",
    "thinking_budget": 100,
    "chat_template_kwargs": '{"enable_thinking":false}',
    "use_guided_json": True,
    "as_published": True,
    "cpu_limit": 1.0,
    "memory_limit": 1 << 30,
    "spec_type": "ngram-mod",
    "spec_draft_n_max": 4,
    "spec_draft_n_min": 2,
    "spec_draft_p_min": 0.5,
    "gpu_layers_draft": 3,
    "speculative_config": '{"method":"ngram"}',
}
# Tested below, each with what it needs beside it.
ELSEWHERE = {
    "benchmark",
    "model",
    "server",
    "server_binary",
    "server_command",
    "base_url",
    "script",
    "script_args",
    "parser",
    "lora",  # in tests/servers/test_lora.py
    "model_draft",  # in tests/servers/test_speculation.py
    "max_cost",  # needs a provider; in tests/scripts/test_paid_run.py
    "provider",  # in tests/runner/test_provider_runs.py, with the two below
    "provider_params",
    "api_key_file",
    "scorer",  # in tests/test_rescore_command.py
    "prompt",  # in tests/scripts/test_own_prompt.py
    "optimizer",  # in tests/scripts/test_search_settings.py, with those below
    "optimizer_params",
    "optimizer_prompt_params",
    "datasets",
    "max_calls",
    "reflector_provider",
    "reflector_model",
    "reflector_base_url",
    "reflector_max_tokens",
}


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(gguf())
    return path


def spec(model, /, **options):
    return build_spec(Asked({"benchmark": "human_eval", "model": model and str(model), **options}))


def test_every_setting_is_tried():
    """The table says which side each is on; this is what each side means."""
    general = {name: setting for name, setting in TABLE.items() if not setting.is_own}
    assert set(general) == {*INDIFFERENT, *DETERMINING, *ELSEWHERE}
    determines_nothing = {name for name in general if general[name].determines is Determines.NOTHING}
    assert determines_nothing - ELSEWHERE == set(INDIFFERENT)


@pytest.mark.parametrize("name", INDIFFERENT)
def test_what_does_not_determine_a_result_changes_nothing(name, model):
    assert fingerprint(spec(model, **{name: INDIFFERENT[name]})) == fingerprint(spec(model))


@pytest.mark.parametrize("name", DETERMINING)
def test_what_determines_a_result_makes_another_run(name, model):
    assert fingerprint(spec(model, **{name: DETERMINING[name]})) != fingerprint(spec(model))


def test_the_same_again_is_the_same(model, tmp_path):
    assert fingerprint(spec(model)) == fingerprint(spec(model, seed=None))
    assert fingerprint(spec(model)) == fingerprint(spec(model, server="llama.cpp"))  # the default, said


def test_a_model_is_its_content(model, tmp_path):
    before = fingerprint(spec(model))
    moved = shutil.copy(model, tmp_path / "another name.gguf")
    assert fingerprint(spec(moved)) == before
    model.write_bytes(gguf({"general.name": (STRING, "x")}))
    assert fingerprint(spec(model)) != before


def test_a_model_that_changed_without_its_size_is_seen(model):
    """The kept hash is that of this very file: its time tells that it was written again."""
    before = fingerprint(spec(model))
    data = bytearray(model.read_bytes())
    data[-1] ^= 1
    model.write_bytes(data)
    os.utime(model, ns=(1, 1))
    assert fingerprint(spec(model)) != before


def test_answers_are_kept_by_all_that_they_depend_on_beside_the_request(model):
    """Another model, server setting or build answers otherwise; the sampling is part of each request."""
    build = {"build": "b1", "ctx_size": 4096}
    known = served_by(spec(model), build)
    assert known == served_by(spec(model, temperature=0.5, limit=3, cache=True, port=8099), build)
    others = {
        served_by(spec(model), {**build, "build": "b2"}),
        served_by(spec(model), {**build, "ctx_size": 2048}),
        served_by(spec(model, gpu_layers=3), build),
        served_by(spec(model, parallel=2), build),
        served_by(spec(model, server_args=("-fa", "on")), build),
    }
    model.write_bytes(gguf({"general.name": (STRING, "x")}))
    others.add(served_by(spec(model), build))
    assert len(others) == 6
    assert known not in others
    assert served_by(spec(model), {}) is None


def test_a_server_that_already_runs_is_its_address_and_its_models_name():
    at = {"base_url": "http://127.0.0.1:1"}
    found = {
        fingerprint(spec(None, **at)),
        fingerprint(spec(None, **(at | {"model": "x"}))),
        fingerprint(spec(None, base_url="http://127.0.0.1:2")),
    }
    assert len(found) == 3


def test_a_foreign_script_is_its_content_and_its_arguments(model, tmp_path):
    script = tmp_path / "my.py"
    script.write_text("print(1)")
    before = fingerprint(spec(model, script=str(script)))
    assert before != fingerprint(spec(model))
    assert before != fingerprint(spec(model, script=str(script), script_args=("--x",)))
    assert before != fingerprint(spec(model, script=str(script), parser="json"))
    assert before == fingerprint(spec(model, script=str(script.rename(tmp_path / "yours.py"))))
    (tmp_path / "yours.py").write_text("print(2)")
    assert before != fingerprint(spec(model, script=str(tmp_path / "yours.py")))


def test_the_kind_of_server_and_its_program_count(model, tmp_path):
    program = tmp_path / "llama-server"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    found = {
        fingerprint(spec(model)),
        fingerprint(spec(model, server_binary=str(program))),
        fingerprint(spec(model, server_command="serve {model} --port {port}")),
        fingerprint(spec(model, server_command="serve {model} -p {port}")),
    }
    assert len(found) == 4


def test_a_files_content_counts_where_a_benchmark_takes_one(model, tmp_path):
    data = tmp_path / "data.jsonl"
    line = '{"question": "One and one?", "answer": "Two. #### 2"}\n'
    data.write_text(line)
    own = {"benchmark": "gsm8k", "dataset": str(data)}
    before = fingerprint(spec(model, **own))
    moved = {**own, "dataset": shutil.copy(data, tmp_path / "moved.jsonl")}
    assert fingerprint(spec(model, **moved)) == before
    data.write_text(line + line.replace("Two", "It is two"))
    assert fingerprint(spec(model, **own)) != before


def test_what_was_not_asked_for_is_left_out(model):
    """So that an option added later leaves the fingerprints of old runs as they are."""
    assert set(determining(spec(model), model="m")) == {"benchmark", "model", "server", "parser"}


def test_a_fingerprint_stays_the_same_over_versions():
    """Finished runs of a sweep are known by it: who changes it on purpose raises VERSION."""
    found = fingerprint(spec(None, base_url="http://127.0.0.1:1", limit=3, temperature=0.5))
    assert found == "a465f5d545248cc1789bfd952d00ecd2"


def test_a_file_that_cannot_be_read_is_told(model):
    wanted = spec(model)
    model.unlink()
    with pytest.raises(UsageError, match="can't be read: No such file"):
        fingerprint(wanted)
