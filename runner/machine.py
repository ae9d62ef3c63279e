"""What is free on this machine now: memory, cards, disk."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Gpu:
    """A card that a program can compute on. free_bytes: now; None if it doesn't report it.

    shares_host: it has no memory of its own but uses the host's, whose figures these are.
    """

    name: str
    total_bytes: int
    free_bytes: int | None
    shares_host: bool = False

    @property
    def room_bytes(self) -> int:
        """The free memory; all of it if the card doesn't report how much is used."""
        return self.total_bytes if self.free_bytes is None else self.free_bytes


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine's resources now."""

    memory_total_bytes: int
    memory_available_bytes: int
    gpus: tuple[Gpu, ...]
    disk_free_bytes: int

    @property
    def cards_bytes(self) -> tuple[int, ...]:
        """The room on each GPU that has memory of its own."""
        return tuple(gpu.room_bytes for gpu in self.gpus if not gpu.shares_host)


def this_machine(results_dir: Path) -> Machine:
    """Read this machine's resources. Asks the drivers, which takes a moment. Never raises."""
    import psutil

    memory = psutil.virtual_memory()
    return Machine(
        memory_total_bytes=memory.total,
        memory_available_bytes=memory.available,
        gpus=tuple(_gpus(memory.total, memory.available)),
        disk_free_bytes=shutil.disk_usage(_existing(results_dir.absolute())).free,
    )


def _gpus(host_total_bytes: int, host_available_bytes: int) -> Iterator[Gpu]:
    """The GPUs that a server started here may compute on. One that doesn't report its memory has none of its own, like
    GPUs on the same chip as the processor.
    """
    from telemetry.devices import live_reading, look_for_gpus
    from telemetry.visibility import usable_gpus

    devices = look_for_gpus().devices
    usable = usable_gpus([device.facts for device in devices], os.environ)
    for device in devices:
        facts = device.facts
        if facts in usable:
            name, total = facts.name or facts.uuid, facts.memory_total_bytes
            if total is None:
                yield Gpu(name, host_total_bytes, host_available_bytes, shares_host=True)
            else:
                used = live_reading(device).memory_used_bytes
                reserved = facts.memory_reserved_bytes or 0
                yield Gpu(name, total, None if used is None else max(total - reserved - used, 0))
        device.close()


def _existing(path: Path) -> Path:
    return next(each for each in (path, *path.parents) if each.exists())
