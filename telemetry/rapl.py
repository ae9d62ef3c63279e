"""Energy of the processor packages, from the kernel's powercap interface (RAPL, for Intel and AMD)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from telemetry.contract import DeviceFacts, DeviceReading

if TYPE_CHECKING:
    from telemetry.contract import Device

# AMD's processors stand there under the same name. Zones below a package (intel-rapl:0:0) are parts of it,
# and intel-rapl-mmio counts the same package once more.
POWERCAP = Path("/sys/class/powercap")
ZONE = re.compile(r"intel-rapl:(\d+)")


def open_packages(root: Path = POWERCAP) -> tuple[tuple[Device, ...], tuple[str, ...]]:
    """Every package whose counter is readable, and a sentence for each other."""
    found: list[Device] = []
    absent: list[str] = []
    zones = sorted(root.glob("intel-rapl:*")) if root.is_dir() else []
    for zone in zones:
        match = ZONE.fullmatch(zone.name)
        if match is None:
            continue
        try:
            name = (zone / "name").read_text().strip()
            if not name.startswith("package"):  # psys and dram overlap with the packages or with each other
                continue
            found.append(Package(zone, int(match[1]), name))
        except PermissionError as error:
            absent.append(f"processor energy: only root may read {error.filename}")
        except (OSError, ValueError) as error:
            absent.append(f"processor energy: {zone.name} can't be read: {error}")
    if not found and not absent:
        absent.append(f"processor energy: this machine shows no counters (no intel-rapl in {root})")
    return tuple(found), tuple(absent)


class Package:
    """One processor package. Raises OSError or ValueError when its counter can't be read at the start."""

    def __init__(self, zone: Path, index: int, name: str) -> None:
        self.facts = DeviceFacts(
            kind="cpu_package", uuid=f"cpu-{name}", index=index, name=f"CPU {name}", energy_source="counter"
        )
        self._counter = zone / "energy_uj"
        self._range_uj = int((zone / "max_energy_range_uj").read_text())
        self._last_uj = int(self._counter.read_text())
        self._before_uj = 0  # counted before the counter last wrapped around

    def read(self) -> DeviceReading:
        """Read the counter. It wraps around every few minutes to hours, so read it more often than that."""
        try:
            now_uj = int(self._counter.read_text())
        except (OSError, ValueError) as error:
            return DeviceReading(uuid=self.facts.uuid, error=str(error))
        if now_uj < self._last_uj:
            self._before_uj += self._range_uj
        self._last_uj = now_uj
        return DeviceReading(uuid=self.facts.uuid, energy_j=(self._before_uj + now_uj) / 1e6)

    def close(self) -> None:
        """Nothing is held open."""
