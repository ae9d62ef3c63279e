"""Whole runs on the servers that people really use."""

from __future__ import annotations

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
    effective = server["in_force"]
    assert (effective["ctx_size"], effective["parallel"], effective["threads"]) == (2048, 2, 1)
    assert (effective["cache_type_k"], effective["cache_type_v"]) == ("q8_0", "q8_0")
    assert effective["gpu_layers"] == 0
    assert server["differences"] == ["asked for 80 GPU layers: 0 were offloaded, no usable GPU was found"]
    assert sum(record["score"]["outcomes"].values()) == 4
    assert record["score"]["outcomes"]["infrastructure_error"] == 0


def test_vllm_with_a_hugging_face_folder(tmp_path, vllm_python, vllm_model):
    done = bench_runner(
        "run", "--benchmark", "human_eval", "--limit", 2, "--max-tokens", 48, "--server", "vllm",
        "--server-binary", vllm_python, "--model", vllm_model, "--max-model-len", 2048, "--parallel", 2,
        "--results-dir", tmp_path, "--", "--enforce-eager",
        env={"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1"},
        timeout=600,
    )  # fmt: skip
    assert done.code == 0, done.err
    (record,) = logged(tmp_path)
    assert record["server"]["kind"] == "vllm"
    assert record["server"]["in_force"]["ctx_size"] == 2048
    assert record["model_identity"]["sha256"]
    assert record["score"]["outcomes"]["infrastructure_error"] == 0
    assert record["score"]["completions"] == 2
