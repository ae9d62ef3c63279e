"""Whole runs on the servers that people really use."""

from __future__ import annotations

import json

import pytest

from tests.command_line import bench_runner, logged

pytestmark = pytest.mark.servers


def test_llama_server_with_a_gguf_file(tmp_path, llama_server_binary, demo_model):
    """As the user's own binary, with options of its own; what it can't do here is said and recorded."""
    done = bench_runner(
        "run", "--benchmark", "human_eval", "--limit", 4, "--max-tokens", 96, "--model", demo_model,
        "--gpu-layers", 80, "--parallel", 2, "--ctx-size", 2048, "--results-dir", tmp_path,
        "--", "-t", 1, "--cache-type-k", "q8_0", "--cache-type-v", "q8_0", "--flash-attn", "on",
        env={"LLAMA_SERVER": str(llama_server_binary)},
    )  # fmt: skip
    assert done.code == 0, done.err
    (record,) = logged(tmp_path)
    server = record["server"]
    assert server["kind"] == "llama.cpp"
    assert server["command"][0] == str(llama_server_binary)
    assert "prompt cache is disabled" in (tmp_path / record["run_id"] / "server.log").read_text()
    effective = server["in_force"]
    assert (effective["ctx_size"], effective["parallel"], effective["threads"]) == (2048, 2, 1)
    assert (effective["cache_type_k"], effective["cache_type_v"]) == ("q8_0", "q8_0")
    assert effective["gpu_layers"] == 0
    assert server["differences"] == ["asked for 80 GPU layers: 0 were offloaded, no usable GPU was found"]
    assert sum(record["score"]["outcomes"].values()) == 4
    assert record["score"]["outcomes"]["infrastructure_error"] == 0


@pytest.mark.timeout(600)
def test_vllm_with_a_hugging_face_folder_answers_and_is_measured(tmp_path, vllm_python, vllm_model):
    """Two runs on one server. Speed: exact lengths, nothing out of its prefix cache, answers held to their length."""
    server = {
        "server": "vllm", "server_binary": str(vllm_python), "model": str(vllm_model), "ctx_size": 1024,
        "parallel": 2, "server_args": ["--enforce-eager"],
    }  # fmt: skip
    runs = [
        {"benchmark": "human_eval", "limit": 2, "max_tokens": 16},
        {"benchmark": "speed", "prompt_tokens": "48", "output_tokens": "8", "requests": 6},
    ]
    (tmp_path / "both.json").write_text(json.dumps({"defaults": server, "runs": runs}))
    done = bench_runner(
        "sweep", tmp_path / "both.json", "--results-dir", tmp_path / "r",
        env={"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"},
        timeout=600,
    )  # fmt: skip
    assert done.code == 0, done.err
    records = {record["benchmark"]: record for record in logged(tmp_path / "r")}
    answered, measured = records["human_eval"], records["speed"]
    assert answered["config"]["port"] == measured["config"]["port"]
    assert answered["server"]["kind"] == "vllm"
    assert answered["server"]["in_force"]["ctx_size"] == 1024
    assert answered["model_identity"]["sha256"]
    assert answered["score"]["outcomes"]["infrastructure_error"] == 0
    assert answered["score"]["completions"] == 2
    details = measured["score"]["details"]
    assert details["prompts"] == "tokens"
    assert [load["load"]["concurrency"] for load in details["loads"]] == [1, 2]
    for load in details["loads"]:
        assert (load["completed"], load["ended_early"], load["cached_tokens"]) == (6, 0, 0)
        assert (load["prompt_tokens"], load["completion_tokens"]) == (6 * 48, 6 * 8)
