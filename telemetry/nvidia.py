"""NVIDIA's cards and MIG instances through NVML. The only module that imports its binding, nvidia-ml-py.

The units that NVML uses are in its own documentation: milliwatts, millijoules since the driver was loaded, percent.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from typing import TYPE_CHECKING, Any

from telemetry.contract import DeviceFacts, DeviceReading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from telemetry.contract import Device

LIBRARY = "libnvidia-ml.so.1"

# The bits of nvmlClocksEventReasons (before: nvmlClocksThrottleReasons) in nvml.h.
REASONS = {
    0x001: "gpu_idle",
    0x002: "applications_clocks_setting",
    0x004: "sw_power_cap",
    0x008: "hw_slowdown",
    0x010: "sync_boost",
    0x020: "sw_thermal_slowdown",
    0x040: "hw_thermal_slowdown",
    0x080: "hw_power_brake_slowdown",
    0x100: "display_clock_setting",
    0x200: "board_limit",
    0x400: "reliability",
}
# More than this on a card without processes belongs to processes that it doesn't name, as in a container.
UNNAMED_BYTES = 256 << 20
# After these the device says nothing more: uninitialized, driver not loaded, interrupt, lost, reset required,
# operating system, library unlike driver, GPU not found.
GONE = frozenset({1, 9, 11, 15, 16, 17, 18, 28})
# It doesn't know this, and has never said it did: invalid argument, not supported, no permission, not found,
# function not found, no data, version mismatch, deprecated, not ready.
UNKNOWN_HERE = frozenset({2, 3, 4, 6, 13, 21, 25, 26, 27})
NOT_AVAILABLE = frozenset({2**32 - 1, 2**64 - 1})  # NVML_VALUE_NOT_AVAILABLE, by the width of the value


def open_gpus() -> tuple[tuple[Device, ...], tuple[str, ...]]:
    """Every card, each followed by its MIG instances; and sentences about what could not be opened.

    Each is to be closed. May block for as long as a broken driver does.
    """
    try:
        ctypes.CDLL(LIBRARY)  # the binding is big: where there is no driver, it is not even imported
    except OSError:
        return (), (f"NVIDIA: no driver is installed ({LIBRARY} is not found)",)
    try:
        import pynvml
    except ImportError:
        return (), ("NVIDIA: its Python binding is missing; pip install nvidia-ml-py",)
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return (), (f"NVIDIA: the driver does not answer: {error}",)
    try:
        return _open_all(pynvml)
    finally:
        # NVML counts: it stays open for as long as a device does.
        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()


class Gpu:
    """A card, or a MIG instance of one: of that only memory, processes and utilization are its own."""

    def __init__(self, nvml: Any, handle: Any, facts: DeviceFacts) -> None:
        self.facts = facts
        self._nvml = nvml
        self._handle = handle
        self._known: set[str] = set()  # what it has answered
        self._asks = _MIG_ASKS if facts.parent_uuid else _CARD_ASKS
        self._open = True
        nvml.nvmlInit()

    def read(self) -> DeviceReading:
        found: dict[str, Any] = {}
        answered = set()
        troubles = []
        for name, ask in self._asks.items():
            try:
                found |= ask(self._nvml, self._handle)
            except self._nvml.NVMLError as error:
                if error.value in GONE:
                    return DeviceReading(uuid=self.facts.uuid, error=str(error))
                troubles.append((name, error))
            else:
                answered.add(name)
        self._known |= answered
        failed = [
            f"{error}, when asked for its {name}" if answered else str(error)
            for name, error in troubles
            if not answered or (name in self._known and error.value not in UNKNOWN_HERE)
        ]
        if _names_nobody(found):
            found["process_memory_bytes"] = None
        found.pop("memory_is_of_processes", None)
        return DeviceReading(uuid=self.facts.uuid, error=failed[0] if failed else "", **found)

    def close(self) -> None:
        if self._open:
            self._open = False
            with contextlib.suppress(self._nvml.NVMLError):
                self._nvml.nvmlShutdown()


def _open_all(nvml: Any) -> tuple[tuple[Device, ...], tuple[str, ...]]:
    found: list[Device] = []
    absent = []
    driver = _said(nvml, lambda: _text(nvml.nvmlSystemGetDriverVersion()))
    try:
        count = nvml.nvmlDeviceGetCount()
    except nvml.NVMLError as error:
        return (), (f"NVIDIA: the driver does not say how many GPUs there are: {error}",)
    if not count:
        absent.append("NVIDIA: there is a driver, but no GPU that this user may see")
    for index in range(count):
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            card = Gpu(nvml, handle, _facts(nvml, handle, index, driver, None))
        except nvml.NVMLError as error:
            absent.append(f"NVIDIA: GPU {index} can't be opened: {error}")
            continue
        found.append(card)
        for instance in _mig_instances(nvml, handle):
            facts = _facts(nvml, instance, index, driver, card.facts.uuid)
            with contextlib.suppress(nvml.NVMLError):
                found.append(Gpu(nvml, instance, facts))
    return tuple(found), tuple(absent)


def _facts(nvml: Any, handle: Any, index: int, driver: str | None, parent_uuid: str | None) -> DeviceFacts:
    """index: of the card, also for an instance of it."""
    memory = _said(nvml, lambda: _memory(nvml, handle)[0].total)
    energy = None
    if parent_uuid is None:
        counter = _said(nvml, lambda: _ask_energy(nvml, handle)["energy_j"])
        power = _said(nvml, lambda: _ask_power(nvml, handle)["power_w"])
        energy = "counter" if counter is not None else "power" if power is not None else None
    return DeviceFacts(
        kind="nvidia",
        uuid=_said(nvml, lambda: _text(nvml.nvmlDeviceGetUUID(handle))) or f"nvidia-{index}",
        index=index,
        name=_said(nvml, lambda: _text(nvml.nvmlDeviceGetName(handle))),
        driver=driver,
        memory_total_bytes=_number(memory),
        parent_uuid=parent_uuid,
        energy_source=energy,
    )


def _mig_instances(nvml: Any, handle: Any) -> Iterator[Any]:
    try:
        enabled, _ = nvml.nvmlDeviceGetMigMode(handle)
        most = nvml.nvmlDeviceGetMaxMigDeviceCount(handle) if enabled else 0
    except nvml.NVMLError:
        return
    for index in range(most):
        with contextlib.suppress(nvml.NVMLError):  # not every place is taken
            yield nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index)


def _said(nvml: Any, ask: Callable[[], Any]) -> Any:
    """None where it doesn't say, or says what is no text."""
    try:
        return ask()
    except (nvml.NVMLError, ValueError):
        return None


def _text(value: str | bytes) -> str:
    """Older versions of the binding give bytes."""
    return value.decode() if isinstance(value, bytes) else value


def _number(value: int | None) -> int | None:
    return None if value is None or value in NOT_AVAILABLE else int(value)


def _either(nvml: Any, *calls: tuple[str, tuple[Any, ...]]) -> Any:
    """The answer of the first of these functions that knows one: drivers and bindings of many years are in use."""
    trouble: Exception = nvml.NVMLError(nvml.NVML_ERROR_FUNCTION_NOT_FOUND)
    for name, arguments in calls:
        function = getattr(nvml, name, None)
        if function is None:
            continue
        try:
            return function(*arguments)
        except nvml.NVMLError as error:
            trouble = error
            if error.value in GONE:
                break
    raise trouble


def _memory(nvml: Any, handle: Any) -> tuple[Any, bool]:
    """The answer, and whether what the driver keeps for itself is left out of `used`."""
    version = getattr(nvml, "nvmlMemory_v2", None)
    try:
        if version is not None:
            return nvml.nvmlDeviceGetMemoryInfo(handle, version), True
    except nvml.NVMLError as error:
        if error.value in GONE:
            raise
    return nvml.nvmlDeviceGetMemoryInfo(handle), False


def _ask_memory(nvml: Any, handle: Any) -> dict[str, Any]:
    memory, without_reserved = _memory(nvml, handle)
    return {"memory_used_bytes": _number(memory.used), "memory_is_of_processes": without_reserved}


def _ask_processes(nvml: Any, handle: Any) -> dict[str, Any]:
    """A process may be in both lists with the same memory, and on a card in several of its MIG instances."""
    sizes: dict[tuple[int, int, int], int | None] = {}
    trouble: Exception | None = None
    answers = 0
    for kind in ("Compute", "Graphics"):
        name = f"nvmlDeviceGet{kind}RunningProcesses"
        try:
            processes = _either(nvml, (f"{name}_v3", (handle,)), (f"{name}_v2", (handle,)))
        except nvml.NVMLError as error:
            if error.value in GONE:
                raise
            trouble = error
            continue
        answers += 1
        for process in processes:
            # An instance of all ones: none.
            key = (
                process.pid,
                getattr(process, "gpuInstanceId", 0),
                getattr(process, "computeInstanceId", 0),
            )
            size = _number(process.usedGpuMemory)
            sizes[key] = max(sizes.get(key) or 0, size) if size is not None else sizes.get(key)
    if trouble is not None and not answers:
        raise trouble
    total: dict[int, int] = {}
    for (pid, _, _), size in sizes.items():
        if size is not None:
            total[pid] = total.get(pid, 0) + size
    return {"process_memory_bytes": total if total or not sizes else None}


def _names_nobody(found: dict[str, Any]) -> bool:
    """In a container a driver tells the process ids of the host, or hides the processes and counts their memory."""
    sizes = found.get("process_memory_bytes")
    if sizes:
        return not any(os.path.exists(f"/proc/{pid}") for pid in sizes)  # noqa: PTH110 - ten times a second
    used = found.get("memory_used_bytes") or 0
    return sizes is not None and bool(found.get("memory_is_of_processes")) and used > UNNAMED_BYTES


def _ask_power(nvml: Any, handle: Any) -> dict[str, Any]:
    power = _number(nvml.nvmlDeviceGetPowerUsage(handle))
    return {"power_w": None if power is None else power / 1e3}


def _ask_energy(nvml: Any, handle: Any) -> dict[str, Any]:
    energy = _number(nvml.nvmlDeviceGetTotalEnergyConsumption(handle))
    return {"energy_j": None if energy is None else energy / 1e3}


def _ask_utilization(nvml: Any, handle: Any) -> dict[str, Any]:
    rates = nvml.nvmlDeviceGetUtilizationRates(handle)
    return {"utilization": _share(rates.gpu), "memory_utilization": _share(rates.memory)}


def _share(percent: int) -> float | None:
    return percent / 100 if 0 <= percent <= 100 else None


def _ask_temperature(nvml: Any, handle: Any) -> dict[str, Any]:
    sensor = nvml.NVML_TEMPERATURE_GPU
    celsius = _number(
        _either(
            nvml,
            ("nvmlDeviceGetTemperature", (handle, sensor)),
            ("nvmlDeviceGetTemperatureV", (handle, sensor)),
        )
    )
    return {"temperature_c": None if celsius is None else float(celsius)}


def _ask_sm_clock(nvml: Any, handle: Any) -> dict[str, Any]:
    return {"sm_clock_mhz": _number(nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM))}


def _ask_memory_clock(nvml: Any, handle: Any) -> dict[str, Any]:
    return {"memory_clock_mhz": _number(nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM))}


def _ask_throttle_reasons(nvml: Any, handle: Any) -> dict[str, Any]:
    bits = _number(
        _either(
            nvml,
            ("nvmlDeviceGetCurrentClocksEventReasons", (handle,)),
            ("nvmlDeviceGetCurrentClocksThrottleReasons", (handle,)),
        )
    )
    return {"throttle_reasons": None if bits is None else reasons(bits)}


def reasons(bits: int) -> tuple[str, ...]:
    """The words for a mask of NVML's; a bit that is newer than this program is told by its value."""
    found = [word for bit, word in REASONS.items() if bits & bit]
    newer = bits & ~sum(REASONS)
    found += [f"{1 << place:#x}" for place in range(newer.bit_length()) if newer & 1 << place]
    return tuple(found)


_MIG_ASKS: dict[str, Callable[[Any, Any], dict[str, Any]]] = {
    "memory": _ask_memory,
    "processes": _ask_processes,
    "utilization": _ask_utilization,
}
_CARD_ASKS = _MIG_ASKS | {
    "power": _ask_power,
    "energy": _ask_energy,
    "temperature": _ask_temperature,
    "SM clock": _ask_sm_clock,
    "memory clock": _ask_memory_clock,
    "throttle reasons": _ask_throttle_reasons,
}
