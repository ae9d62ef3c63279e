"""The memory that llama.cpp will need is estimated as the real server logs it, or a little above."""

from __future__ import annotations

import re

import pytest

from servers.capacity.memory_estimate import estimate
from servers.gguf import read_layout
from servers.models import resolve
from servers.plan import LaunchPlan
from servers.ports import free_port
from servers.supervisor import launch
from settings.base_url import parse_base_url
from tests.servers.gguf_file import ARRAY, BOOL, U32, gguf

MIB = 1 << 20
# What llama-server (build 11434) logged for the demo model: tokens a slot, slots, other arguments, KV and compute MiB.
LOGGED = [
    (4096, 4, (), 360.00, 18.64),
    (1024, 4, ("-ctk", "q8_0", "--cache-type-v", "q8_0"), 47.81, 15.67),
    (4096, 1, ("-fa", "off"), 90.00, 87.51),
    (1024, 4, ("-ub", "128"), 90.00, 3.91),
    (300, 3, (), 33.75, 15.17),
]
LOGITS = 49152 * 4  # bytes a token, of the demo model; reserved by older builds only


@pytest.fixture
def small(tmp_path):
    """A function: metadata -> a model of two layers with rows of 64 keys and 64 values in one KV head."""

    def make(pairs: dict):
        path = tmp_path / "model.gguf"
        path.write_bytes(gguf({"llama.attention.head_count_kv": (U32, 1)} | pairs))
        return resolve(str(path))

    return make


def kv_bytes(model, **options) -> int:
    found = estimate(model, ctx_size=1000, parallel=1, gpu_layers=0, **options)
    return found.kv_host_bytes


@pytest.mark.parametrize("logged", LOGGED)
def test_the_demo_model_needs_what_llama_server_logged(demo_model, logged):
    ctx_size, parallel, args, kv, compute = logged
    found = estimate(
        resolve(str(demo_model)), ctx_size=ctx_size, parallel=parallel, gpu_layers=0, extra_args=args
    )
    assert found.weights_host_bytes / MIB == pytest.approx(92.10, abs=0.01)
    assert found.kv_host_bytes / MIB == pytest.approx(kv, abs=0.01)
    batch = 128 if "-ub" in args else 512
    without_logits = found.compute_host_bytes - batch * LOGITS
    assert compute * MIB <= without_logits <= compute * MIB * 1.5
    assert (found.weights_gpu_bytes, found.kv_gpu_bytes, found.compute_gpu_bytes, found.caveats) == (
        0,
        0,
        0,
        (),
    )


def test_layers_go_to_the_gpu_from_the_end_the_output_first(demo_model):
    """As llama.cpp: 1 is the output layer alone, 31 of the demo model's 30 blocks are all."""
    model = resolve(str(demo_model))
    tensors = read_layout(demo_model).tensor_bytes
    embedding = tensors["token_embd.weight"]
    block = sum(size for name, size in tensors.items() if name.startswith("blk.29."))

    def on_gpu(layers: int):
        return estimate(model, ctx_size=1024, parallel=2, gpu_layers=layers)

    none, output, two, whole = (on_gpu(layers) for layers in (0, 1, 3, 31))
    assert none.gpu_bytes == 0
    # The embedding serves as output matrix too: it is on the GPU and with the processor.
    assert output.weights_gpu_bytes == pytest.approx(embedding, abs=4096)
    assert two.weights_gpu_bytes - output.weights_gpu_bytes == pytest.approx(2 * block, abs=4096)
    assert two.kv_gpu_bytes * 14 == two.kv_host_bytes
    assert whole.kv_host_bytes == 0
    assert whole.weights_host_bytes == embedding
    assert whole.weights_gpu_bytes == none.weights_host_bytes
    assert on_gpu(-1) == on_gpu(999) == whole


def test_a_layer_beside_the_gpu_needs_room_there_for_its_cache(tmp_path):
    """Build 11434 on an H200, 9 slots of 131,072 tokens: 22 and 30 of 33 layers had the same compute buffers."""
    path = tmp_path / "model.gguf"
    path.write_bytes(
        gguf(
            {
                "llama.block_count": (U32, 32),
                "llama.embedding_length": (U32, 4096),
                "llama.feed_forward_length": (U32, 14336),
                "llama.attention.head_count": (U32, 32),
                "llama.attention.head_count_kv": (U32, 8),
                "llama.vocab_size": (U32, 49152),
            }
        )
    )
    model = resolve(str(path))

    def on_gpu(layers: int, *args: str):
        return estimate(model, ctx_size=131072, parallel=9, gpu_layers=layers, extra_args=args)

    for layers, kv in ((22, 96768), (30, 133632)):
        found = on_gpu(layers)
        assert found.kv_gpu_bytes / MIB == kv
        assert 4776.33 <= found.compute_gpu_bytes / MIB <= 1.1 * 4776.33
    whole = on_gpu(33).compute_gpu_bytes
    assert 244.01 <= whole / MIB <= 400
    assert on_gpu(22, "--no-op-offload").compute_gpu_bytes == on_gpu(22, "-nkvo").compute_gpu_bytes == whole


def test_a_cache_kept_with_the_processor_is_counted_there(demo_model):
    found = estimate(
        resolve(str(demo_model)), ctx_size=1024, parallel=1, gpu_layers=-1, extra_args=("-nkvo",)
    )
    assert found.kv_gpu_bytes == 0
    assert found.kv_host_bytes


def test_heads_and_lengths_of_the_file_make_the_cache(small):
    row = (16 + 16) * 2  # 64 / 4 heads, keys and values, f16
    assert kv_bytes(small({})) == 2 * row * 1024
    assert kv_bytes(small({"llama.attention.head_count_kv": (ARRAY, (U32, [2, 0]))})) == 2 * row * 1024
    lengths = {"llama.attention.key_length": (U32, 32), "llama.attention.value_length": (U32, 8)}
    assert kv_bytes(small(lengths)) == 2 * (32 + 8) * 2 * 1024


def test_latent_attention_has_no_values(small):
    pairs = {
        "llama.attention.key_length": (U32, 576),
        "llama.attention.value_length": (U32, 512),
        "llama.attention.key_length_mla": (U32, 192),
        "llama.attention.value_length_mla": (U32, 128),
    }
    assert kv_bytes(small(pairs)) == 2 * 576 * 2 * 1024


def test_a_sliding_window_needs_less_where_the_file_tells_its_layers(small):
    window = {"llama.attention.sliding_window": (U32, 100)}
    unknown = estimate(small(window), ctx_size=4096, parallel=2, gpu_layers=0)
    assert unknown.kv_host_bytes == 2 * 64 * 4096 * 2
    assert any("sliding window" in caveat for caveat in unknown.caveats)
    pattern = window | {"llama.attention.sliding_window_pattern": (ARRAY, (BOOL, [True, False]))}
    known = estimate(small(pattern), ctx_size=4096, parallel=2, gpu_layers=0)
    assert known.kv_host_bytes == 64 * 2 * (768 + 4096)  # 100 + a batch of 512, padded
    assert known.caveats == ()
    full = estimate(small(pattern), ctx_size=4096, parallel=2, gpu_layers=0, extra_args=("--swa-full",))
    assert full.kv_host_bytes == unknown.kv_host_bytes


@pytest.mark.parametrize(
    ("pairs", "args", "words"),
    [
        ({"llama.ssm.state_size": (U32, 16)}, (), "recurrent"),
        ({"llama.block_count": (U32, 0)}, (), "how many layers and heads"),
        ({}, ("-ot", "exps=CPU"), "are counted as on the GPU"),
        ({}, ("--model-draft", "x.gguf"), "is not counted"),
    ],
)
def test_what_is_not_known_well_is_said(small, pairs, args, words):
    found = estimate(small(pairs), ctx_size=512, parallel=1, gpu_layers=-1, extra_args=args)
    assert any(words in caveat for caveat in found.caveats)


def test_the_parts_of_a_split_model_are_added_up(tmp_path):
    for part in (0, 1):
        data = gguf({"split.no": (U32, part), "split.count": (U32, 2)}, tensors=2 + part)
        (tmp_path / f"m-{part + 1:05}-of-00002.gguf").write_bytes(data)
    found = estimate(resolve(str(tmp_path / "m-00001-of-00002.gguf")), ctx_size=256, parallel=1, gpu_layers=0)
    assert found.weights_host_bytes >= 3 * 72  # tensors of the same name count once here


def test_what_is_no_gguf_file_has_no_estimate(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    assert estimate(resolve(str(tmp_path)), ctx_size=256, parallel=1, gpu_layers=0) is None


@pytest.mark.servers
@pytest.mark.parametrize("case", [row[:3] for row in LOGGED])
def test_the_real_server_logs_what_was_estimated(demo_model, llama_server_binary, tmp_path, case):
    ctx_size, parallel, args = case
    port = free_port()
    sizes = (
        "-c",
        str(ctx_size * parallel),
        "-np",
        str(parallel),
        "-t",
        "1",
        "-lv",
        "4",
        "--no-warmup",
        *args,
    )
    plan = LaunchPlan(
        kind="llama.cpp",
        argv=(
            str(llama_server_binary),
            "-m",
            str(demo_model),
            "--port",
            str(port),
            "--alias",
            "ours",
            *sizes,
        ),
        base_url=parse_base_url(f"http://127.0.0.1:{port}"),
        model_name="ours",
    )
    log = tmp_path / "server.log"
    with launch(plan, log_path=log, ready_timeout_s=60):
        pass
    text = log.read_text(errors="replace")
    found = estimate(
        resolve(str(demo_model)), ctx_size=ctx_size, parallel=parallel, gpu_layers=0, extra_args=args
    )
    logged = {
        name: float(re.search(rf"{name} buffer size = *([\d.]+) MiB", text)[1])
        for name in ("model", "KV", "compute")
    }
    assert found.weights_host_bytes / MIB == pytest.approx(logged["model"], abs=0.1)
    assert found.kv_host_bytes / MIB == pytest.approx(logged["KV"], abs=0.1)
    assert logged["compute"] <= found.compute_host_bytes / MIB <= logged["compute"] * 1.5 + 512 * LOGITS / MIB
