"""What a worker offers to its jobs: each GPU, else the processors as one device."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from results.durable import explained
from results.files import read_file
from telemetry.devices import usable_gpus
from telemetry.visibility import showing_only

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

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

    def shown_first(self, environment: Mapping[str, str] = os.environ) -> dict[str, str | None]:
        """The same, of the first device: for a check of what one job can do here."""
        return self.shown(self.names[0], environment)


def find_devices() -> Devices:
    """Look for GPUs; takes as long as their drivers need, see `telemetry.devices`."""
    return Devices(usable_gpus())


def host_name(state_dir: Path) -> str:
    """By which other workers know this host, and which stays the same: its name, and some digits that are kept in the
    state folder, because two machines may have one name. Raises ResultsError.
    """
    name = re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname())[:100] or "host"
    path = state_dir / f"host-{name}"
    with explained("write", path):
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            new = state_dir / f".host-{secrets.token_hex(8)}"
            new.write_text(f"{secrets.token_hex(2)}\n")
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(new)  # whole, and only if no other worker was faster
            new.unlink()
        digits = read_file(path).decode(errors="replace").strip()
    return f"{name}-{digits}" if re.fullmatch("[0-9a-f]{4}", digits) else name
