"""What a host offers, and by which name."""

from __future__ import annotations

from telemetry.contract import DeviceFacts
from web.working.devices import Devices, host_name

GPUS = tuple(DeviceFacts(kind="nvidia", uuid=f"GPU-{each}", index=number) for number, each in enumerate("ab"))


def test_each_gpu_is_a_device_and_a_job_sees_only_its_own():
    devices = Devices(GPUS)
    assert devices.names == ("GPU-a", "GPU-b")
    assert devices.shown("GPU-b", {}) == {"CUDA_VISIBLE_DEVICES": "GPU-b"}
    assert devices.shown_first({}) == {"CUDA_VISIBLE_DEVICES": "GPU-a"}
    assert devices.shown("", {}) == {"CUDA_VISIBLE_DEVICES": "-1"}  # it needs none


def test_without_a_gpu_the_processors_are_one_device():
    assert Devices(()).names == ("cpu",)
    assert Devices(()).shown("cpu", {}) == {}


def test_a_host_keeps_its_name_and_two_machines_of_one_name_differ(tmp_path):
    first = host_name(tmp_path / "one")
    assert host_name(tmp_path / "one") == first
    others = {host_name(tmp_path / str(number)) for number in range(8)}
    assert len(others) > 1
    assert all(each.rpartition("-")[0] == first.rpartition("-")[0] for each in others)
    (tmp_path / "one" / f"host-{first.rpartition('-')[0]}").write_text("../x\n")
    assert host_name(tmp_path / "one") == first.rpartition("-")[0]
