"""Which devices a run takes: nothing is measured beside something else on the same one."""

from __future__ import annotations

import os

import pytest

from engines.cards import Cards, runs_at_once
from servers.capacity.memory_estimate import estimate_server
from sweeps.manifest.options import manifest_from_options
from sweeps.plan import plan_runs
from telemetry.contract import DeviceFacts
from tests.sweep_runs import models, own_devices

pytestmark = pytest.mark.usefixtures("own_devices")
__all__ = ["own_devices"]


class Waits(Exception):
    """It is not free."""


GIB = 1 << 30


def gpus(*sizes_gib, kind="nvidia"):
    """None: the card doesn't tell."""
    return tuple(
        DeviceFacts(
            kind=kind,
            uuid=f"{kind}-{letter}",
            index=index,
            memory_total_bytes=None if size is None else round(size * GIB),
        )
        for index, (letter, size) in enumerate(zip("abcd", sizes_gib, strict=False))
    )


def cards(*sizes_gib, lanes=2, kind="nvidia"):
    return Cards(gpus(*(sizes_gib or (24, 24, 24)), kind=kind), lanes)


@pytest.fixture
def run(tmp_path):
    """A function from options to the one run that they plan; llama-server is there."""
    program = tmp_path / "llama-server"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    (model,) = models(tmp_path / "m", "a")

    def planned(file=model, **options):
        options = {"benchmark": "human_eval", "server_binary": str(program), **options}
        (found,) = plan_runs(manifest_from_options((str(file),), options)).runs
        return found

    return planned


def wait():
    raise Waits


def test_what_computes_on_the_processors_has_them_alone(run):
    without, with_layers = run(gpu_layers="0"), run(gpu_layers="80")
    with cards().taken(without, on_wait=wait):
        with cards().taken(with_layers, on_wait=wait):
            pass
        with pytest.raises(Waits), cards().taken(without, on_wait=wait):
            pass
    without_gpus = Cards((), 2)
    with without_gpus.taken(with_layers, on_wait=wait), pytest.raises(Waits):
        without_gpus.taken(with_layers, on_wait=wait).__enter__()
    # A scheduler has shared the processors out already.
    shared_out = Cards((), 1, own_processors=True)
    with without_gpus.taken(with_layers, on_wait=wait), shared_out.taken(with_layers, on_wait=wait):
        pass


def test_a_run_sees_its_own_cards_only_and_what_was_set_comes_back(run, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    with cards().taken(run(), on_wait=wait):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "nvidia-a"
        with cards().taken(run(), on_wait=wait):
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "nvidia-b"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1,2"
    with cards(kind="amd").taken(run(), on_wait=wait):
        assert os.environ["HIP_VISIBLE_DEVICES"] == "0"
    assert "HIP_VISIBLE_DEVICES" not in os.environ


def test_what_is_hidden_from_the_sweep_stays_hidden(run, monkeypatch):
    """HIP counts the cards that ROCr has left, in its order."""
    monkeypatch.setenv("ROCR_VISIBLE_DEVICES", "2,1")
    monkeypatch.setenv("GPU_DEVICE_ORDINAL", "0,1")
    usable = Cards(gpus(24, 24, 24, kind="amd")[1:], 2)
    with usable.taken(run(), on_wait=wait):
        assert os.environ["HIP_VISIBLE_DEVICES"] == "1"
        assert "GPU_DEVICE_ORDINAL" not in os.environ
    assert os.environ["GPU_DEVICE_ORDINAL"] == "0,1"


def test_beside_another_vendor_s_cards_a_run_has_one_of_either(run):
    """The server is made for one of them, and which one nobody says."""
    both = Cards((*gpus(24, 24), *gpus(16, 16, 16, kind="amd")), 2)
    with both.taken(run(), on_wait=wait):
        seen = {name: os.environ[name] for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")}
        assert seen == {"CUDA_VISIBLE_DEVICES": "nvidia-a", "HIP_VISIBLE_DEVICES": "0"}
        with both.taken(run(), on_wait=wait), pytest.raises(Waits), both.taken(run(), on_wait=wait):
            pass
    assert runs_at_once(both.gpus) == 2
    assert runs_at_once(gpus(24, 24, 24)) == 3
    assert runs_at_once(()) == 1


def test_a_run_has_as_many_cards_as_the_estimate_says_and_never_more_than_there_are(run):
    """The context and its type count, not the model's file alone; layers that stay with the processor don't."""
    large = {"ctx_size": "1000000", "parallel": "160"}
    needed_gib = estimate_server(run(**large).spec.server, run(**large).needs).gpu_bytes / GIB
    assert 20 < needed_gib < 40
    assert cards().needed(run(gpu_layers="-1")) == 1
    assert cards().needed(run(**large)) == 2
    assert cards(12, 12, 12).needed(run(**large)) == 3
    assert cards(1, 1, 1).needed(run(**large)) == 3
    assert cards(1, 1, 1).needed(run(gpu_layers="0", **large)) == 1
    assert cards().needed(run(server_args=("-ctk", "q4_0", "-ctv", "q4_0"), **large)) == 1
    assert cards(lanes=1).needed(run()) == 3
    assert cards(None, None).needed(run(**large)) == 1
    assert cards(0.1, 0.1).needed(run()) == 2


def test_of_cards_of_several_sizes_a_run_takes_those_that_hold_it(run, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    large = run(ctx_size="1000000", parallel="160")
    mixed = cards(8, 80, 24, 48)
    assert mixed.needed(large) == 1
    with mixed.taken(large, on_wait=wait):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "nvidia-b"
        with mixed.taken(large, on_wait=wait):
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "nvidia-d"
            with pytest.raises(Waits), mixed.taken(large, on_wait=wait):
                pass


def test_vllm_takes_the_cards_that_it_was_told_to(run, tmp_path):
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "config.json").write_text("{}")

    def vllm(*words):
        return run(tmp_path / "hf", server="vllm", server_args=words)

    assert cards().needed(vllm()) == 1
    assert cards().needed(vllm("-tp", "2")) == 2
    assert cards().needed(vllm("--pipeline-parallel-size=3")) == 3
    assert cards().needed(vllm("-tp", "2", "-pp", "2")) == 3


def test_a_binary_that_is_gone_since_costs_its_own_runs_only(run, tmp_path):
    """Whoever leases devices for it must not end the sweep: the run says it."""
    planned = run()
    (tmp_path / "llama-server").unlink()
    with cards().taken(planned, on_wait=wait):
        pass
