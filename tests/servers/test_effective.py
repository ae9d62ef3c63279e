"""What a server really does is read from what it printed, and each difference from the wish is a sentence."""

from __future__ import annotations

import pytest

from servers.effective import differences, read_back
from servers.plan import LaunchPlan
from servers.ports import free_port
from servers.supervisor import launch
from settings.base_url import parse_base_url

# llama-server build 11434 with -lv 4, on a machine without a GPU; and with one, from its own source.
LLAMA_CPU = """\
warning: no usable GPU found, --gpu-layers option will be ignored
0.00.007.017 I cmn  common_param: system_info: n_threads = 1 (n_threads_batch = 1) / 2 | CPU : SSE3 = 1 | AVX = 1 |
0.00.395.973 W llama_context: n_ctx is not divisible by n_seq_max - rounding down to 1024
0.00.396.064 I llama_context: flash_attn            = auto
0.00.414.559 I llama_kv_cache: size =   17.23 MiB (   512 cells,  30 layers,  2/2 seqs), K (q8_0):    5.98 MiB, V (f16):   11.25 MiB
0.00.419.786 I resolve_fused_ops: Flash Attention enabled
0.00.427.084 I cmn          init: llama threadpool init, n_threads = 1
"""  # noqa: E501 - as printed
LLAMA_GPU = """\
load_tensors: offloading 30 repeating layers to GPU
load_tensors: offloading output layer to GPU
load_tensors: offloaded 31/31 layers to GPU
llama_context: flash_attn    = 0
llama_kv_cache_unified: size =   90.00 MiB (  4096 cells,  30 layers,  1/1 seqs), K (f16):   45.00 MiB, V (f16):   45.00 MiB
"""  # noqa: E501 - as printed
# vLLM 0.32.0 on a CPU; older ones on a GPU print two lines.
VLLM_CPU = (
    "(EngineCore pid=24022) INFO 11-21 09:50:27 [kv_cache_utils.py:2327] CPU KV cache size: 93,184 tokens, "
    "Maximum concurrency for 1,024 tokens per request: 91.00x\n"
)
VLLM_GPU = """\
INFO 08-01 10:00:00 [kv_cache_utils.py:849] GPU KV cache size: 102,400 tokens
INFO 08-01 10:00:00 [kv_cache_utils.py:853] Maximum concurrency for 4,096 tokens per request: 25.00x
"""


def from_log(text, **asked):
    """With nobody at the port."""
    url = parse_base_url(f"http://127.0.0.1:{free_port()}")
    return read_back(LaunchPlan(kind="llama.cpp", argv=(), base_url=url, asked=asked), text)


def test_llama_server_without_a_gpu():
    effective, different = from_log(LLAMA_CPU, gpu_layers=80)
    assert effective == {
        "gpu_layers": 0,
        "cache_type_k": "q8_0",
        "cache_type_v": "f16",
        "flash_attention": "enabled",
        "threads": 1,
    }
    assert different == ("asked for 80 GPU layers: 0 were offloaded, no usable GPU was found",)


def test_llama_server_with_a_gpu():
    effective, different = from_log(LLAMA_GPU, gpu_layers=80)
    assert effective == {
        "gpu_layers": 31,
        "layer_count": 31,
        "cache_type_k": "f16",
        "cache_type_v": "f16",
        "flash_attention": "disabled",
    }
    assert different == ()  # 80 of 31 are all


def test_of_several_attempts_to_fit_the_last_one_counts():
    again = LLAMA_GPU.replace("31/31", "12/31").replace("(f16)", "(q4_0)")
    effective, different = from_log(LLAMA_GPU + again, gpu_layers=-1)
    assert (effective["gpu_layers"], effective["cache_type_v"]) == (12, "q4_0")
    assert different == ("asked for all layers on the GPU: 12 of 31 were offloaded",)


@pytest.mark.parametrize(
    ("printed", "word"),
    [
        ("llama_context: flash_attn = enabled\n", "enabled"),
        ("llama_context: flash_attn = 1\n", "enabled"),
        (
            "llama_context: flash_attn = auto\nllama_context: Flash Attention was auto, set to disabled\n",
            "disabled",
        ),
        ("llama_context: flash_attn = auto\n", "auto"),
    ],
)
def test_flash_attention_in_the_words_of_several_versions(printed, word):
    assert from_log(printed)[0] == {"flash_attention": word}


def test_vllm():
    cpu, different = from_log(VLLM_CPU, parallel=32)
    assert cpu == {"kv_cache_tokens": 93_184, "full_length_requests": 91.0}
    assert different == ()
    gpu, different = from_log(VLLM_GPU, parallel=32)
    assert gpu == {"kv_cache_tokens": 102_400, "full_length_requests": 25.0}
    assert different == ("asked for 32 requests at once, but the KV cache only holds 25 of full length",)


def test_nothing_known_is_nothing_said():
    assert from_log("", gpu_layers=80, ctx_size=4096, parallel=4) == ({}, ())
    assert from_log("\0\ufffd offloaded many/all layers to GPU\n" * 1000) == ({}, ())


@pytest.mark.parametrize(
    ("asked", "effective", "sentence"),
    [
        (
            {"gpu_layers": 80},
            {"gpu_layers": 10, "layer_count": 31},
            "asked for 80 GPU layers: 10 of 31 were offloaded",
        ),
        (
            {"gpu_layers": 10},
            {"gpu_layers": 31, "layer_count": 31},
            "asked for 10 GPU layers: 31 of 31 were offloaded",
        ),
        (
            {"gpu_layers": 0},
            {"gpu_layers": 31, "layer_count": 31},
            "asked for 0 GPU layers: 31 of 31 were offloaded",
        ),
        ({"ctx_size": 300}, {"ctx_size": 512}, "asked for 300 tokens of context per slot: 512 are used"),
        ({"parallel": 8}, {"parallel": 4}, "asked for 8 slots: 4 are used"),
        (
            {"ctx_size": 16384},
            {"ctx_size": 16384, "context_length_trained": 8192},
            "16384 tokens of context per slot: the model was trained with 8192",
        ),
    ],
)
def test_each_difference_is_a_sentence(asked, effective, sentence):
    assert differences(asked, effective, no_gpu=False) == (sentence,)


@pytest.mark.parametrize(
    ("asked", "effective"),
    [
        ({}, {"gpu_layers": 0, "ctx_size": 512}),
        ({"gpu_layers": None}, {"gpu_layers": 0}),  # "auto" among the extra arguments
        ({"gpu_layers": 0}, {"gpu_layers": 0}),
        ({"gpu_layers": -1}, {"gpu_layers": 31, "layer_count": 31}),
        ({"gpu_layers": 999}, {"gpu_layers": 31, "layer_count": 31}),
        ({"parallel": 4}, {"full_length_requests": 4.0}),
    ],
)
def test_what_was_not_asked_or_is_so_is_no_difference(asked, effective):
    assert differences(asked, effective, no_gpu=True) == ()


def test_a_server_that_tells_nothing_of_itself(fake_plan, log):
    """Any OpenAI-compatible one: no /props, no meta in /v1/models."""
    with launch(fake_plan("--model-name", "fake"), log_path=log, ready_timeout_s=20) as server:
        assert read_back(server.plan, server.log.text()) == ({}, ())
