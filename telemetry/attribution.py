"""Attribute devices: which ones a run used, and what its server still holds after it ended."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from telemetry.contract import DeviceReading

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from telemetry.contract import DeviceFacts, Tick


def used_devices(
    ticks: Sequence[Tick], devices: Sequence[DeviceFacts], pids: Iterable[int], visible: Collection[str]
) -> frozenset[str]:
    """The GPUs on which one of these processes held memory at any tick, otherwise the processor packages.

    A MIG instance's card is included. visible: see `telemetry.visibility`; if no GPU lists one of the processes, the
    visible GPUs that don't report whose memory they hold are included. In a container, a GPU may report it only while
    it holds none. Without pids, the server is elsewhere and uses nothing on this machine.
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
    if not used:
        silent = (each for each in readings if each.process_memory_bytes is None and not _says_nothing(each))
        did, did_not = (Counter(reading.uuid for reading in group) for group in (told, silent))
        used = frozenset(name for name in names & set(visible) if not did[name] or did_not[name] > did[name])
    used |= {facts.parent_uuid for facts in gpus if facts.uuid in used and facts.parent_uuid is not None}
    return used or frozenset(facts.uuid for facts in devices if facts.kind == "cpu_package")


def left_bytes(now: DeviceReading, before: DeviceReading | None, pids: Iterable[int]) -> int | None:
    """Bytes that ended processes still hold on a device; None if it doesn't report them.

    It is the memory listed under their ids, or the growth in use since before the run that listed other processes don't
    explain: a driver may drop a process from its list before it has freed the memory.
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
    """Whether it has no values, because the device was late or broken."""
    return reading == DeviceReading(uuid=reading.uuid, error=reading.error)
