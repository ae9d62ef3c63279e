"""What is said to fit does fit: on cards, in memory, and on a real llama-server by its own log."""

from __future__ import annotations

import json
import re
import shlex
import sys

import pytest

from servers.capacity.fit import Fitting, Room, all_fits
from servers.capacity.llama_estimate import ask, find_estimator
from servers.capacity.memory_estimate import GPU_OVERHEAD_BYTES
from servers.models import resolve
from servers.plan import LaunchPlan
from servers.ports import free_port
from servers.supervisor import launch
from settings.base_url import parse_base_url
from tests.command_line import bench_runner
from tests.servers.gguf_file import ARRAY, BOOL, U32, gguf
from tests.servers.launches import program

MIB, GIB = 1 << 20, 1 << 30


@pytest.fixture(scope="module")
def demo(demo_model):
    return resolve(str(demo_model))


def longest(model, room, kv_type="f16", parallel=1, **options):
    return Fitting(model, room).largest_context(kv_type, parallel, **options)


def test_a_roomy_machine_is_limited_by_the_training_alone(demo):
    for fit in all_fits(Fitting(demo, Room(cards=(24 * GIB,), host_bytes=64 * GIB))):
        assert (fit.ctx_size, fit.gpu_layers, fit.layer_count, fit.bound) == (8192, 31, 31, "training")


def test_the_next_step_would_not_fit(demo):
    """The answer is the largest: one more step of 256 tokens needs more than there is."""
    room = Room(cards=(), host_bytes=600 * MIB)
    fitting = Fitting(demo, room)
    for kv_type in ("f16", "q8_0", "q4_0"):
        fit = fitting.largest_context(kv_type, 4)
        assert fit.bound == "memory"
        assert fit.memory.host_bytes <= room.host_bytes
        more = fitting._fits(kv_type, 4, fit.ctx_size + 256, 0)
        assert not more
    sizes = [fitting.largest_context(kv_type, 4).ctx_size for kv_type in ("f16", "q8_0", "q4_0")]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[2]


def test_what_all_layers_leave_no_room_for_goes_to_the_host_layer_by_layer(demo):
    small, host = Room(cards=(976 * MIB,), host_bytes=8 * GIB), Room(cards=(), host_bytes=8 * GIB)
    fit = longest(demo, small)
    assert 0 < fit.gpu_layers < 31
    assert fit.ctx_size >= 4096
    assert fit.cards_bytes[0] <= 976 * MIB
    asked = longest(demo, small, gpu_layers=-1)
    assert asked.gpu_layers == 31
    assert asked.ctx_size < fit.ctx_size
    assert longest(demo, host).cards_bytes == ()


def test_layers_are_split_over_cards_by_their_free_memory(demo):
    room = Room(cards=(1456 * MIB, 2656 * MIB), host_bytes=8 * GIB)
    fit = longest(demo, room, parallel=8)
    assert fit.gpu_layers == 31
    first, second = (size - GPU_OVERHEAD_BYTES - fit.memory.compute_gpu_bytes for size in fit.cards_bytes)
    assert first + second == pytest.approx(fit.memory.weights_gpu_bytes + fit.memory.kv_gpu_bytes, rel=0.01)
    assert first == pytest.approx((first + second) / 3, rel=0.15)
    one = longest(demo, Room(cards=(3600 * MIB,), host_bytes=8 * GIB), parallel=8)
    assert one.ctx_size >= fit.ctx_size


def test_the_most_slots_of_a_context(demo):
    room = Room(cards=(), host_bytes=1 * GIB)
    slots = [fit.parallel for fit in all_fits(Fitting(demo, room), ctx_size=4096)]
    assert slots == sorted(slots)
    assert Fitting(demo, room).largest_context("f16", slots[0]).ctx_size >= 4096
    assert Fitting(demo, room).largest_context("f16", slots[0] + 1).ctx_size < 4096


def test_nothing_fits_in_nothing(demo):
    fit = longest(demo, Room(cards=(), host_bytes=100 * MIB))
    assert fit.ctx_size == 0


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ({"llama.attention.sliding_window": (U32, 512)}, "the file doesn't say which ones"),
        ({"llama.ssm.state_size": (U32, 16)}, "recurrent"),
        (
            {"llama.attention.key_length_mla": (U32, 192), "llama.attention.value_length_mla": (U32, 128)},
            "latent attention",
        ),
    ],
)
def test_what_is_not_known_of_an_architecture_is_said(tmp_path, pairs, words):
    path = tmp_path / "model.gguf"
    path.write_bytes(gguf(pairs))
    fitting = Fitting(resolve(str(path)), Room(cards=(), host_bytes=GIB))
    fitting.largest_context("f16", 1)
    assert any(words in caveat for caveat in fitting.caveats)


def test_llama_cpps_own_estimate_of_the_cache_is_used(tmp_path):
    """As for a model whose file doesn't say which layers have a window: 10 MiB and 1 KiB a token, and all is known."""
    path = tmp_path / "model.gguf"
    pairs = {"llama.attention.sliding_window": (U32, 512), "llama.context_length": (U32, 1 << 20)}
    path.write_bytes(gguf(pairs))
    estimator = program(
        tmp_path / "llama-fit-params",
        f"#!{sys.executable}\nimport sys\n"
        "tokens = int(sys.argv[sys.argv.index('-c') + 1])\n"
        "print('some words\\nCUDA0 5', 10 + tokens * 1024 // 2**20, '30 ')\nprint('Host 1 0 2')\n",
    )
    found = ask(estimator, path, ctx_size=1024, parallel=2)
    assert (found.model_bytes, found.context_bytes, found.compute_bytes) == (6 * MIB, 12 * MIB, 30 * MIB)
    fitting = Fitting(resolve(str(path)), Room(cards=(), host_bytes=GIB), estimator=estimator)
    fit = fitting.largest_context("f16", 2)
    assert fitting.by_llama
    assert fitting.caveats == ()
    assert fit.memory.kv_host_bytes == pytest.approx(2 * (11 * MIB + 1024 * fit.ctx_size), rel=0.01)
    program(tmp_path / "llama-fit-params", "#!/bin/sh\nexit 1\n")
    assert ask(estimator, path, ctx_size=1024, parallel=2) is None


def test_windows_by_layer_make_room(tmp_path):
    pairs = {"llama.attention.sliding_window": (U32, 100), "llama.context_length": (U32, 1 << 20)}
    sizes = []
    for pattern in ([False, False], [True, False]):
        path = tmp_path / f"{pattern[0]}.gguf"
        path.write_bytes(gguf(pairs | {"llama.attention.sliding_window_pattern": (ARRAY, (BOOL, pattern))}))
        sizes.append(longest(resolve(str(path)), Room(cards=(), host_bytes=400 * MIB)).ctx_size)
    assert sizes[1] > sizes[0] + 10_000


def test_the_command_prints_tables_and_command_lines(demo_model, tmp_path):
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "LLAMA_SERVER": ""}
    done = bench_runner("fit", demo_model, "--vram", "1177M", "--ram", "8G", "--parallel", 2, env=env)
    assert done.code == 0, done.err
    assert "f16\t2\t4,352\t31 of 31\t" in done.out
    words = shlex.split(done.out.splitlines()[-1])
    assert words[0] == "llama-server"
    assert words[-2:] == ["--flash-attn", "on"]
    answer = json.loads(
        bench_runner("fit", demo_model, "--vram", "1G,1G", "--ctx-size", "16k", "--json", env=env).out
    )
    assert answer["cards_bytes"] == [GIB, GIB]
    assert [row["ctx_size"] for row in answer["fits"]] == [16384] * 3
    beyond = bench_runner("fit", demo_model, "--ctx-size", "16k", "--ram", "8G", env=env)
    assert "16,384 tokens of context, but the model was trained on 8,192" in beyond.err
    assert "nothing fits" in bench_runner("fit", demo_model, "--ram", "50M", env=env).out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--vram", "many"), "--vram"),
        (("--ram", "-1G"), "--ram"),
        (("--ctx-size", "12"), "at least 256"),
        (("--ctx-size", "x"), "--ctx-size"),
        (("--kv-type", "q9"), "--kv-type q9: there is no such type of cache"),
    ],
)
def test_bad_options_are_named(demo_model, words, message):
    done = bench_runner("fit", demo_model, *words)
    assert done.code == 2
    assert message in done.err


@pytest.mark.servers
@pytest.mark.parametrize("kv_type", ["f16", "q8_0", "q4_0"])
@pytest.mark.parametrize("parallel", [1, 3])
def test_a_real_server_started_as_said_logs_what_was_predicted(
    demo, llama_server_binary, tmp_path, kv_type, parallel
):
    """Both ways of estimating, at the context that they call the largest; never less than the log says."""
    room = Room(cards=(), host_bytes=540 * MIB)
    estimator = find_estimator(llama_server_binary)
    assert estimator is not None
    by_llama = Fitting(demo, room, estimator=estimator)
    fits = [
        Fitting(demo, room).largest_context(kv_type, parallel),
        by_llama.largest_context(kv_type, parallel),
    ]
    assert by_llama.by_llama
    for fit in fits:
        port = free_port()
        argv = (
            *(str(llama_server_binary), "-m", str(demo.path), "--port", str(port), "--alias", "ours", "-t", "1"),
            *("-c", str(fit.ctx_size * parallel), "-np", str(parallel), "-lv", "4", "--no-warmup"),
            *fit.server_args,
        )  # fmt: skip
        base_url = parse_base_url(f"http://127.0.0.1:{port}")
        plan = LaunchPlan(kind="llama.cpp", argv=argv, base_url=base_url, model_name="ours")
        log = tmp_path / f"{port}.log"
        with launch(plan, log_path=log, ready_timeout_s=100):
            pass
        text = log.read_text(errors="replace")
        kv, compute = (
            sum(float(size) for size in re.findall(rf"{name} buffer size = *([\d.]+) MiB", text))
            for name in ("KV", "compute")
        )
        predicted = fit.memory.kv_host_bytes / MIB
        assert kv - 0.1 <= predicted <= kv * 1.02 + parallel * 2, (kv, predicted)
        assert compute <= fit.memory.compute_host_bytes / MIB


@pytest.mark.servers
def test_the_llama_server_line_of_the_command_starts(demo_model, llama_server_binary, tmp_path):
    done = bench_runner(
        "fit",
        demo_model,
        "--ram",
        "540M",
        "--server-binary",
        llama_server_binary,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert done.code == 0, done.err
    assert "llama-fit-params and the file" in done.out
    words = shlex.split(done.out.splitlines()[-1])
    port = free_port()
    plan = LaunchPlan(
        kind="llama.cpp",
        argv=(*words, "--port", str(port), "--alias", "ours", "-t", "1"),
        base_url=parse_base_url(f"http://127.0.0.1:{port}"),
        model_name="ours",
    )
    with launch(plan, log_path=tmp_path / "log", ready_timeout_s=100):
        pass
