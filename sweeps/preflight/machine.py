"""What this machine has free now: memory, cards, disk."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Gpu:
    """A card that a program can compute on. free_bytes: now; None: it doesn't say."""

    name: str
    total_bytes: int
    free_bytes: int | None


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What there is, now."""

    memory_total_bytes: int
    memory_available_bytes: int
    gpus: tuple[Gpu, ...]
    disk_free_bytes: int


def this_machine(results_dir: Path) -> Machine:
    """Asks the drivers, which takes a moment. Never raises."""
    import psutil

    memory = psutil.virtual_memory()
    return Machine(
        memory_total_bytes=memory.total,
        memory_available_bytes=memory.available,
        gpus=_gpus(),
        disk_free_bytes=shutil.disk_usage(_existing(results_dir.absolute())).free,
    )


def _gpus() -> tuple[Gpu, ...]:
    from telemetry.devices import live_reading, look_for_gpus

    found = []
    devices = look_for_gpus().devices
    divided = {device.facts.parent_uuid for device in devices}
    for device in devices:
        facts = device.facts
        if facts.uuid not in divided and facts.memory_total_bytes:
            used = live_reading(device).memory_used_bytes
            free = None if used is None else facts.memory_total_bytes - used
            found.append(Gpu(facts.name or facts.uuid, facts.memory_total_bytes, free))
        device.close()
    return tuple(found)


def _existing(path: Path) -> Path:
    return next(each for each in (path, *path.parents) if each.exists())
