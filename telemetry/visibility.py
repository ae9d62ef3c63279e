"""Which GPUs a program sees: read from its environment as the vendors' runtimes read it, and written for a program.

- CUDA: `CUDA_VISIBLE_DEVICES`, indices or the beginnings of uuids, up to the first that is unknown, such as -1. A card
  named twice is an error of cuInit (seen with CUDA 13): no card at all. Indices are
  taken as NVML counts, by the bus; CUDA does so with CUDA_DEVICE_ORDER=PCI_BUS_ID, and where all cards are alike.
- AMD's ROCr (rocr-runtime, core/runtime/amd_filter_device.cpp): `ROCR_VISIBLE_DEVICES`, indices or the beginnings of
  GPU-<unique id>, up to the first that is unknown or named twice; empty: none.
- AMD's HIP and OpenCL on top of it (clr, rocclr/device/rocm/rocdevice.cpp): `HIP_VISIBLE_DEVICES`, else
  `CUDA_VISIBLE_DEVICES`, else `GPU_DEVICE_ORDINAL`, whichever is first not empty. Its indices count what ROCr has left,
  in ROCr's order.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from telemetry.contract import DeviceFacts

NVIDIA = "CUDA_VISIBLE_DEVICES"
ROCR = "ROCR_VISIBLE_DEVICES"
HIP = ("HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL")
NONE = "-1"  # unknown to every runtime; an empty variable is no limit for HIP
# As amdsmi writes a card's unique id into its uuid: amdsmi, src/amd_smi/amd_smi_uuid.cc.
_AMD_UUID = re.compile(r"(..).{6}-.{4}-.{4}-..(..)-(.{12})")


def visible_gpus(gpus: Sequence[DeviceFacts], environment: Mapping[str, str]) -> frozenset[str]:
    """The uuids of the GPUs on which a program with this environment computes, whichever vendor it is built for.

    A CUDA program gets one instance of a divided card: the first, unless an instance is named.
    """
    nvidia = [facts for facts in gpus if facts.kind == "nvidia"]
    amd = [facts for facts in gpus if facts.kind == "amd"]
    return frozenset(facts.uuid for facts in (*_by_cuda(nvidia, environment), *_by_hip(amd, environment)))


def usable_gpus(gpus: Sequence[DeviceFacts], environment: Mapping[str, str]) -> tuple[DeviceFacts, ...]:
    """The GPUs that can be assigned one by one to programs with this environment; for a divided card, its instances."""
    visible = visible_gpus(gpus, environment)
    divided = {facts.parent_uuid for facts in gpus}
    all_of_nvidia = environment.get(NVIDIA) is None
    return tuple(
        facts
        for facts in gpus
        if facts.uuid not in divided and (facts.uuid in visible or (facts.kind == "nvidia" and all_of_nvidia))
    )


def showing_only(
    chosen: Sequence[DeviceFacts], usable: Sequence[DeviceFacts], environment: Mapping[str, str]
) -> dict[str, str | None]:
    """The variables (None: remove it) that let a program in this environment see only the chosen GPUs.

    usable: see `usable_gpus`. A vendor without a chosen GPU shows none.
    """
    found: dict[str, str | None] = {}
    if any(facts.kind == "nvidia" for facts in usable):
        # By uuid, which doesn't change when cards are renumbered.
        found[NVIDIA] = ",".join(facts.uuid for facts in chosen if facts.kind == "nvidia") or NONE
    if any(facts.kind == "amd" for facts in usable):
        places = [_place_by_rocr(facts, environment.get(ROCR)) for facts in chosen if facts.kind == "amd"]
        found |= {HIP[0]: ",".join(map(str, places)) or NONE, HIP[-1]: None}
    return found


def _by_cuda(gpus: Sequence[DeviceFacts], environment: Mapping[str, str]) -> list[DeviceFacts]:
    visible = environment.get(NVIDIA)
    instances = {facts.parent_uuid: facts for facts in reversed(gpus)}  # the first of each card
    if visible is None:
        whole = [facts for facts in gpus if facts.parent_uuid is None and facts.uuid not in instances]
        return whole or [instances.get(facts.uuid, facts) for facts in gpus[:1]]
    found = []
    named_before: list[DeviceFacts] = []
    for name in (part.strip() for part in visible.split(",")):
        named = (
            facts
            for facts in gpus
            if (str(facts.index) == name if name.isdigit() else name and facts.uuid.startswith(name))
        )
        first = next(named, None)
        if first is None:
            break
        if first in named_before:
            return []
        named_before.append(first)
        found.append(instances.get(first.uuid, first))
    return found


def _by_rocr(gpus: Sequence[DeviceFacts], visible: str | None) -> list[DeviceFacts]:
    """The GPUs that ROCr shows, in the order in which HIP counts them."""
    if visible is None:
        return list(gpus)
    found: list[DeviceFacts] = []
    for name in _names(visible):
        named = [facts for facts in gpus if _is_named(facts, name)]
        if len(named) != 1 or named[0] in found:
            break
        found += named
    return found


def _by_hip(gpus: Sequence[DeviceFacts], environment: Mapping[str, str]) -> list[DeviceFacts]:
    left = _by_rocr(gpus, environment.get(ROCR))
    visible = next((environment[name] for name in HIP if environment.get(name)), None)
    if visible is None:
        return left
    found = []
    for name in visible.split(","):  # a blank beside a number makes it unknown
        if name.isdecimal():
            named = left[int(name) : int(name) + 1]
        else:
            named = [facts for facts in left if _is_named(facts, name)]
        if not named:
            break
        found += named[:1]
    return found


def _place_by_rocr(facts: DeviceFacts, visible: str | None) -> int:
    """The GPU's place in ROCr's list, which is HIP's index of it."""
    if visible is None:
        return facts.index
    return next((place for place, name in enumerate(_names(visible)) if _is_named(facts, name)), facts.index)


def _names(visible: str) -> list[str]:
    return [part.strip() for part in visible.split(",")]


def _is_named(facts: DeviceFacts, name: str) -> bool:
    """Whether ROCr would match it: by index, or by the beginning of GPU-<unique id>."""
    if name.isdecimal():
        return facts.index == int(name)
    unique_id = _AMD_UUID.fullmatch(facts.uuid)
    known = f"GPU-{''.join(unique_id.groups())}".upper() if unique_id else ""
    return name.upper().startswith("GPU-") and len(name) > len("GPU-") and known.startswith(name.upper())
