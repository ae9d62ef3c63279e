"""What a program sees of the GPUs is what CUDA, ROCr and HIP make of its environment, and what it is shown is seen."""

from __future__ import annotations

import pytest

from telemetry.contract import DeviceFacts
from telemetry.visibility import showing_only, usable_gpus, visible_gpus


def card(uuid, index, parent=None, kind="nvidia"):
    return DeviceFacts(kind=kind, uuid=uuid, index=index, parent_uuid=parent)


WHOLE = (card("GPU-aa", 0), card("GPU-bb", 1))
DIVIDED = (card("GPU-aa", 0), card("GPU-bb", 1), card("MIG-1", 1, "GPU-bb"), card("MIG-2", 1, "GPU-bb"))
# As amdsmi writes them: byte 7 of the unique id stands at the very front, then bytes 6, 5 to 0 at the end.
AMD = tuple(
    card(f"{index:x}1ff74a1-0000-1000-80e3-d4d3ee7dd3b{index:x}", index, kind="amd") for index in range(4)
)
ROCR_2 = "GPU-21E3D4D3EE7DD3B2"


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
        ("0,0", set()),  # cuInit answered 101, invalid device
    ],
)
def test_the_visible_cards_are_those_that_cuda_would_take(visible, seen):
    environment = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert visible_gpus(WHOLE, environment) == seen
    assert {gpu.uuid for gpu in usable_gpus(WHOLE, environment)} == seen


@pytest.mark.parametrize(
    ("visible", "seen"), [("1", {"MIG-1"}), ("GPU-bb", {"MIG-1"}), ("MIG-2", {"MIG-2"}), ("MIG-", {"MIG-1"})]
)
def test_of_a_divided_card_a_program_gets_one_instance(visible, seen):
    environment = {"CUDA_VISIBLE_DEVICES": visible}
    assert visible_gpus(DIVIDED, environment) == seen
    assert {gpu.uuid for gpu in usable_gpus(DIVIDED, environment)} == seen


def test_several_programs_can_have_an_instance_each():
    assert visible_gpus(DIVIDED, {}) == {"GPU-aa"}
    assert visible_gpus(DIVIDED[1:], {}) == {"MIG-1"}
    assert [gpu.uuid for gpu in usable_gpus(DIVIDED, {})] == ["GPU-aa", "MIG-1", "MIG-2"]


@pytest.mark.parametrize(
    ("environment", "seen"),
    [
        ({}, [0, 1, 2, 3]),
        ({"HIP_VISIBLE_DEVICES": "1"}, [1]),
        ({"HIP_VISIBLE_DEVICES": ""}, [0, 1, 2, 3]),  # empty is no limit to HIP
        ({"HIP_VISIBLE_DEVICES": "-1"}, []),
        ({"HIP_VISIBLE_DEVICES": "0,9,1"}, [0]),
        ({"HIP_VISIBLE_DEVICES": ROCR_2}, [2]),
        ({"CUDA_VISIBLE_DEVICES": "3"}, [3]),
        ({"HIP_VISIBLE_DEVICES": "1", "CUDA_VISIBLE_DEVICES": "3"}, [1]),
        ({"HIP_VISIBLE_DEVICES": "", "CUDA_VISIBLE_DEVICES": "3"}, [3]),
        ({"GPU_DEVICE_ORDINAL": "0,2"}, [0, 2]),
        ({"GPU_DEVICE_ORDINAL": "0,2", "HIP_VISIBLE_DEVICES": "1"}, [1]),
        ({"ROCR_VISIBLE_DEVICES": "1,3"}, [1, 3]),
        ({"ROCR_VISIBLE_DEVICES": ""}, []),  # but it hides all of them from ROCr
        ({"ROCR_VISIBLE_DEVICES": f"{ROCR_2.lower()}, 0"}, [0, 2]),
        ({"ROCR_VISIBLE_DEVICES": "GPU-21"}, [2]),
        ({"ROCR_VISIBLE_DEVICES": "GPU-"}, []),
        ({"ROCR_VISIBLE_DEVICES": "2,2,3"}, [2]),
        # HIP counts what ROCr has left, in its order.
        ({"ROCR_VISIBLE_DEVICES": "3,1", "HIP_VISIBLE_DEVICES": "0"}, [3]),
        ({"ROCR_VISIBLE_DEVICES": "3,1", "HIP_VISIBLE_DEVICES": "3"}, []),
        ({"ROCR_VISIBLE_DEVICES": "3,1", "CUDA_VISIBLE_DEVICES": "1"}, [1]),
    ],
)
def test_the_visible_cards_are_those_that_hip_would_take(environment, seen):
    assert visible_gpus(AMD, environment) == {AMD[index].uuid for index in seen}
    assert {gpu.index for gpu in usable_gpus(AMD, environment)} == set(seen)


def test_with_both_vendors_each_reads_its_own_and_hip_also_cuda_s():
    both = (*WHOLE, *AMD[:2])
    assert visible_gpus(both, {"CUDA_VISIBLE_DEVICES": "GPU-bb"}) == {"GPU-bb"}
    assert visible_gpus(both, {"CUDA_VISIBLE_DEVICES": "1"}) == {"GPU-bb", AMD[1].uuid}
    environment = {"CUDA_VISIBLE_DEVICES": "1", "HIP_VISIBLE_DEVICES": "0"}
    assert visible_gpus(both, environment) == {"GPU-bb", AMD[0].uuid}


@pytest.mark.parametrize("gpus", [WHOLE, AMD, (*WHOLE, *AMD)], ids=["nvidia", "amd", "both"])
@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"ROCR_VISIBLE_DEVICES": "3,0,1"},
        {"ROCR_VISIBLE_DEVICES": f"3,{ROCR_2}"},
        {"HIP_VISIBLE_DEVICES": "1,3"},
        {"GPU_DEVICE_ORDINAL": "2"},
        {"CUDA_VISIBLE_DEVICES": "1"},
        {"CUDA_VISIBLE_DEVICES": "1", "HIP_VISIBLE_DEVICES": "2,3", "ROCR_VISIBLE_DEVICES": "3,2,1,0"},
    ],
)
def test_a_program_sees_what_it_is_shown_and_nothing_else(gpus, environment):
    """Whatever limits stand in the environment already."""
    usable = usable_gpus(gpus, environment)
    assert usable
    for chosen in ([], *([gpu] for gpu in usable), usable[:2], usable):
        changed = {**environment, **showing_only(chosen, usable, environment)}
        seen = {name: value for name, value in changed.items() if value is not None}
        assert visible_gpus(gpus, seen) == {gpu.uuid for gpu in chosen}


def test_only_the_variables_of_vendors_that_are_there_are_touched():
    assert showing_only(WHOLE[:1], WHOLE, {}) == {"CUDA_VISIBLE_DEVICES": "GPU-aa"}
    assert showing_only(AMD[1:2], AMD, {}) == {"HIP_VISIBLE_DEVICES": "1", "GPU_DEVICE_ORDINAL": None}
