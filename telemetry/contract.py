"""The types of what is measured: a device's facts, and the readings that `telemetry.jsonl` has in its lines."""

from __future__ import annotations

from typing import Protocol

import msgspec

from results.telemetry import ServerReading  # noqa: TC001 - a field: msgspec reads it at run time


class DeviceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A device that can be measured. None means that the device doesn't report it.

    kind: "nvidia", "amd" or "cpu_package". uuid: identifies the device permanently (a MIG instance has its own).
    parent_uuid: that of a MIG instance's card, whose power and temperature it shares.
    memory_reserved_bytes: of the total, what the driver keeps for itself and no reading counts as used.
    energy_source: "counter" (the device's own), "power" (to be integrated over time), or None (neither).
    power_limit_w: as it was set; enforced_power_limit_w: the lowest of all that limit it. slowdown_temperature_c: where
    it begins to slow itself down. ecc: whether its memory corrects errors, which costs some of it. pcie_generation: the
    most that card and slot can do; pcie_width: the lanes in use. pci_bus_id: orders the cards, as index does.
    cuda_version: the newest that the driver supports. divided: whether the card is in MIG mode.
    """

    kind: str
    uuid: str
    index: int
    name: str | None = None
    driver: str | None = None
    memory_total_bytes: int | None = None
    memory_reserved_bytes: int | None = None
    parent_uuid: str | None = None
    energy_source: str | None = None
    power_limit_w: float | None = None
    enforced_power_limit_w: float | None = None
    slowdown_temperature_c: float | None = None
    max_sm_clock_mhz: int | None = None
    max_memory_clock_mhz: int | None = None
    ecc: bool | None = None
    pcie_generation: int | None = None
    pcie_width: int | None = None
    pci_bus_id: str | None = None
    cuda_version: str | None = None
    divided: bool | None = None


class DeviceReading(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One reading. A value that the device doesn't support is None, never 0.

    energy_j: a counter that only grows, from an arbitrary start. power_w: as the device gives it; NVIDIA's since
    Ampere (GA100 excepted) is the mean of the last second. utilization, memory_utilization: 0 to 1.
    throttle_reasons: what keeps the clocks down now, in the vendor's words in lower case; () is nothing. Among them
    "gpu_idle" doesn't mean slow: there is nothing to do.
    process_memory_bytes: by process id as this machine's kernel counts them.
    error: why there is nothing else, such as "GPU is lost".
    """

    uuid: str
    memory_used_bytes: int | None = None
    process_memory_bytes: dict[int, int] | None = None
    power_w: float | None = None
    energy_j: float | None = None
    utilization: float | None = None
    memory_utilization: float | None = None
    temperature_c: float | None = None
    sm_clock_mhz: int | None = None
    memory_clock_mhz: int | None = None
    throttle_reasons: tuple[str, ...] | None = None
    error: str = ""


class ProcessReading(msgspec.Struct, frozen=True, kw_only=True):
    """The server's whole process tree. Counters only grow, even if a member dies.

    memory_bytes: resident memory; shared memory counts once.
    """

    count: int
    cpu_s: float
    memory_bytes: int
    read_bytes: int | None = None
    written_bytes: int | None = None


class Tick(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of `telemetry.jsonl`. time_s: monotonic, since the sampler's start; phase: see `Sampler.phase`."""

    time_s: float
    phase: str
    devices: tuple[DeviceReading, ...] = ()
    processes: ProcessReading | None = None
    server: ServerReading | None = None
    host_cpu_utilization: float | None = None


class Device(Protocol):
    """A device of any vendor. `read` may block as long as a broken driver does, so call it where it may."""

    @property
    def facts(self) -> DeviceFacts: ...

    def read(self) -> DeviceReading:
        """Read the device. A failure of the device does not raise; it is the reading's `error`.

        A device whose counters are slow to ask may also have `read_often`, which leaves those out.
        """
        ...

    def close(self) -> None:
        """Is idempotent."""
        ...
