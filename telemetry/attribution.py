"""Whose a device is: which ones a run used, and what its ended server still holds of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.contract import DeviceReading

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from telemetry.contract import DeviceFacts, Tick


def used_devices(
    ticks: Sequence[Tick], devices: Sequence[DeviceFacts], pids: Iterable[int], visible: str | None
) -> frozenset[str]:
    """The GPUs on which one of these processes held memory at any tick; else the processor packages.

    With a MIG instance goes its card. visible: CUDA_VISIBLE_DEVICES. It decides where GPUs do not tell whose
    memory they hold; in a container they may do so as long as there is none. Without pids the server is somewhere
    else, and uses nothing of this machine.
    """
    ours = frozenset(pids)
    if not ours:
        return frozenset()
    gpus = [facts for facts in devices if facts.kind != "cpu_package"]
    names = {facts.uuid for facts in gpus}
    readings = [reading for tick in ticks for reading in tick.devices if reading.uuid in names]
    told = [reading for reading in readings if reading.process_memory_bytes is not None]
    used = frozenset(
        reading.uuid
        for reading in told
        if reading.process_memory_bytes and ours & reading.process_memory_bytes.keys()
    )
    untold = sum(reading.process_memory_bytes is None and not _says_nothing(reading) for reading in readings)
    if not used and (not told or untold > len(told)):
        used = visible_gpus(gpus, visible)
    used |= {facts.parent_uuid for facts in gpus if facts.uuid in used and facts.parent_uuid is not None}
    return used or frozenset(facts.uuid for facts in devices if facts.kind == "cpu_package")


def visible_gpus(gpus: Sequence[DeviceFacts], visible: str | None) -> frozenset[str]:
    """As CUDA reads the variable: indices or the beginnings of uuids, up to the first that is unknown, such as -1.

    A program gets one instance of a divided card: the first, unless an instance is named. Indices are taken as NVML
    counts, by the bus; CUDA does so with CUDA_DEVICE_ORDER=PCI_BUS_ID, and where all cards are alike.
    """
    divided = {facts.parent_uuid for facts in gpus}

    def computing(card: DeviceFacts) -> str:
        return next((facts.uuid for facts in gpus if facts.parent_uuid == card.uuid), card.uuid)

    if visible is None:
        whole = frozenset(
            facts.uuid for facts in gpus if facts.parent_uuid is None and facts.uuid not in divided
        )
        return whole or frozenset(map(computing, gpus[:1]))
    found = set()
    for name in (part.strip() for part in visible.split(",")):
        named = (
            facts
            for facts in gpus
            if (str(facts.index) == name if name.isdigit() else name and facts.uuid.startswith(name))
        )
        first = next(named, None)
        if first is None:
            break
        found.add(computing(first))
    return frozenset(found)


def left_bytes(now: DeviceReading, before: DeviceReading | None, pids: Iterable[int]) -> int | None:
    """What ended processes still hold of a device; None: it doesn't tell.

    By their ids; else what is used more than before them, which the growth of others that are named does not explain:
    a driver may forget a process before it has freed its memory.
    """
    ours = frozenset(pids)
    named = now.process_memory_bytes or {}
    own = sum(size for pid, size in named.items() if pid in ours)
    if now.memory_used_bytes is None or before is None or before.memory_used_bytes is None:
        return own if now.process_memory_bytes is not None else None
    others = sum(size for pid, size in named.items() if pid not in ours)
    others_before = sum(size for pid, size in (before.process_memory_bytes or {}).items() if pid not in ours)
    grown = now.memory_used_bytes - before.memory_used_bytes - max(0, others - others_before)
    return max(own, grown, 0)


def _says_nothing(reading: DeviceReading) -> bool:
    """It was late, or broken."""
    return reading == DeviceReading(uuid=reading.uuid, error=reading.error)
