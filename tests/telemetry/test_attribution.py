"""Whose a card is: by the server's processes, else as CUDA would choose; and what an ended server still holds."""

from __future__ import annotations

import pytest

from telemetry.attribution import left_bytes, used_devices, visible_gpus
from telemetry.contract import DeviceFacts, DeviceReading, Tick

GIB = 1 << 30


def card(uuid, index, parent=None):
    return DeviceFacts(kind="nvidia", uuid=uuid, index=index, parent_uuid=parent)


WHOLE = (card("GPU-aa", 0), card("GPU-bb", 1))
DIVIDED = (card("GPU-aa", 0), card("GPU-bb", 1), card("MIG-1", 1, "GPU-bb"), card("MIG-2", 1, "GPU-bb"))


@pytest.mark.parametrize(
    ("visible", "seen"),
    [
        (None, {"GPU-aa", "GPU-bb"}),
        ("", set()),
        ("1", {"GPU-bb"}),
        ("1, 0", {"GPU-aa", "GPU-bb"}),
        ("GPU-b", {"GPU-bb"}),
        ("0,-1,1", {"GPU-aa"}),  # what follows an unknown one doesn't count
        ("-1", set()),
        ("10", set()),
    ],
)
def test_the_visible_cards_are_those_that_cuda_would_take(visible, seen):
    assert visible_gpus(WHOLE, visible) == seen


@pytest.mark.parametrize(
    ("visible", "seen"),
    [(None, {"GPU-aa"}), ("1", {"MIG-1"}), ("GPU-bb", {"MIG-1"}), ("MIG-2", {"MIG-2"}), ("MIG-", {"MIG-1"})],
)
def test_of_a_divided_card_a_program_gets_one_instance(visible, seen):
    assert visible_gpus(DIVIDED, visible) == seen
    assert visible_gpus(DIVIDED[1:], None) == {"MIG-1"}


def test_a_server_elsewhere_uses_nothing_here():
    """Nor this machine's processor, whose energy would else be told as that of the provider's answers."""
    package = DeviceFacts(kind="cpu_package", uuid="cpu-package-0", index=0, energy_source="counter")
    readings = (DeviceReading(uuid="GPU-aa", power_w=1.0), DeviceReading(uuid=package.uuid, energy_j=1.0))
    ticks = [Tick(time_s=0.0, phase="generate", devices=readings)]
    assert used_devices(ticks, [WHOLE[0], package], (), None) == set()
    assert used_devices(ticks, [WHOLE[0], package], {1}, None) == {"GPU-aa"}


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
