"""Which devices a run takes: nothing is measured beside something else on the same one."""

from __future__ import annotations

import os

import pytest

from engines.cards import Cards
from sweeps.manifest.options import manifest_from_options
from sweeps.plan import plan_runs
from telemetry.contract import DeviceFacts
from tests.sweep_runs import models, own_devices

pytestmark = pytest.mark.usefixtures("own_devices")
__all__ = ["own_devices"]


class Waits(Exception):
    """It is not free."""


def cards(lanes=2, kind="nvidia", memory_bytes=24 << 30):
    facts = [
        DeviceFacts(kind=kind, uuid=f"GPU-{letter}", index=index, memory_total_bytes=memory_bytes)
        for index, letter in enumerate("abc")
    ]
    return Cards(tuple(facts), lanes)


@pytest.fixture
def run(tmp_path):
    """A function from options to the one run that they plan; llama-server is there."""
    program = tmp_path / "llama-server"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    (model,) = models(tmp_path / "m", "a")

    def planned(**options):
        options = {"benchmark": "human_eval", "server_binary": str(program), **options}
        (found,) = plan_runs(manifest_from_options((str(model),), options), results_dir=tmp_path).runs
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


def test_a_run_sees_its_own_cards_only_and_what_was_set_comes_back(run, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    with cards().taken(run(), on_wait=wait):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-a"
        with cards().taken(run(), on_wait=wait):
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-b"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1,2"
    with cards(kind="amd").taken(run(), on_wait=wait):
        assert os.environ["HIP_VISIBLE_DEVICES"] == "0"
    assert "HIP_VISIBLE_DEVICES" not in os.environ


def test_as_many_cards_as_the_model_is_large_and_never_more_than_there_are(run):
    size_bytes = sum(path.stat().st_size for path in run().spec.server.model.files())
    assert cards().needed(run()) == 1
    assert cards(memory_bytes=size_bytes).needed(run()) == 2
    assert cards(memory_bytes=size_bytes // 100).needed(run()) == 3
    assert cards(lanes=1).needed(run()) == 3
    assert cards(memory_bytes=0).needed(run()) == 1
