"""Whose a card is: by the server's processes, else by what it sees; and what an ended server still holds."""

from __future__ import annotations

import pytest

from telemetry.attribution import left_bytes, used_devices
from telemetry.contract import DeviceFacts, DeviceReading, Tick

GIB = 1 << 30


def card(uuid, index, parent=None):
    return DeviceFacts(kind="nvidia", uuid=uuid, index=index, parent_uuid=parent)


WHOLE = (card("GPU-aa", 0), card("GPU-bb", 1))


def test_a_server_elsewhere_uses_nothing_here():
    """Nor this machine's processor, whose energy would else be told as that of the provider's answers."""
    package = DeviceFacts(kind="cpu_package", uuid="cpu-package-0", index=0, energy_source="counter")
    readings = (DeviceReading(uuid="GPU-aa", power_w=1.0), DeviceReading(uuid=package.uuid, energy_j=1.0))
    ticks = [Tick(time_s=0.0, phase="generate", devices=readings)]
    assert used_devices(ticks, [WHOLE[0], package], (), {"GPU-aa"}) == set()
    assert used_devices(ticks, [WHOLE[0], package], {1}, {"GPU-aa"}) == {"GPU-aa"}


def test_a_card_that_names_processes_and_not_ours_is_not_ours_whatever_another_vendor_s_says():
    """A server on AMD's card, which names nobody, beside NVIDIA's, which names somebody else."""
    other = DeviceFacts(kind="amd", uuid="aa-bb", index=0)
    readings = (
        DeviceReading(uuid="GPU-aa", power_w=1.0, process_memory_bytes={7: GIB}),
        DeviceReading(uuid="aa-bb", power_w=1.0),
    )
    ticks = [Tick(time_s=0.0, phase="generate", devices=readings)]
    visible = {"GPU-aa", "aa-bb"}
    assert used_devices(ticks, [WHOLE[0], other], {1}, visible) == {"aa-bb"}
    assert used_devices(ticks, [WHOLE[0], other], {7}, visible) == {"GPU-aa"}
    assert used_devices(ticks, [WHOLE[0], other], {1}, {"GPU-aa"}) == set()


def reading(used, named=None):
    return DeviceReading(uuid="GPU-aa", memory_used_bytes=used, process_memory_bytes=named)


@pytest.mark.parametrize(
    ("now", "before", "left"),
    [
        (reading(9, {7: 5, 1: 4}), reading(4, {1: 4}), 5),  # it is still named
        (reading(9, {1: 4}), reading(4, {1: 4}), 5),  # its name is gone, its memory is not
        (reading(9, {1: 9}), reading(4, {1: 4}), 0),  # somebody else took more
        (reading(9), reading(4), 5),  # a container's card names nobody
        (reading(4), reading(4), 0),
        (reading(2), reading(4), 0),  # somebody else gave some back
        (reading(9), None, None),
        (reading(9, {}), None, 0),
        (DeviceReading(uuid="GPU-aa"), reading(4), None),  # it was late
    ],
)
def test_what_an_ended_server_still_holds(now, before, left):
    assert left_bytes(now, before, {7}) == left
