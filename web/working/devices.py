"""What a worker offers to its jobs: each GPU, else the processors as one device."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.devices import usable_gpus
from telemetry.visibility import showing_only

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.contract import DeviceFacts

CPU = "cpu"


@dataclass(frozen=True)
class Devices:
    """The devices of this host, found once. gpus: see `telemetry.devices.usable_gpus`."""

    gpus: tuple[DeviceFacts, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each device; as many jobs that need one can run at once."""
        return tuple(gpu.uuid for gpu in self.gpus) or (CPU,)

    def shown(self, name: str, environment: Mapping[str, str] = os.environ) -> dict[str, str | None]:
        """The variables (None: remove it) that show a job this device only. name: "" for a job that needs none."""
        if not self.gpus:
            return {}
        chosen = [gpu for gpu in self.gpus if gpu.uuid == name]
        return showing_only(chosen, self.gpus, environment)


def find_devices() -> Devices:
    """Look for GPUs; takes as long as their drivers need, see `telemetry.devices`."""
    return Devices(usable_gpus())


def host_name() -> str:
    """By which other workers know this host."""
    return socket.gethostname()[:200] or "host"
