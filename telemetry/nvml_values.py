"""Values read from an NVML handle, in our units. `telemetry.nvidia` passes the binding in.

Drivers and bindings of very different ages are in use, so a newer function is tried before the older one.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

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
HOTTEST_C = 150  # no silicon works above that
NOT_AVAILABLE = frozenset({2**32 - 1, 2**64 - 1})  # NVML_VALUE_NOT_AVAILABLE, by the width of the value


def text(value: str | bytes) -> str:
    """The value as a text; older versions of the binding return bytes."""
    return value.decode() if isinstance(value, bytes) else value


def _number(value: int | None) -> int | None:
    return None if value is None or value in NOT_AVAILABLE else int(value)


def _thousandth(value: int) -> float | None:
    number = _number(value)
    return None if number is None else number / 1e3


def _either(nvml: Any, *calls: tuple[str, tuple[Any, ...]]) -> Any:
    """The answer of the first function that has one; see the module's docstring."""
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


def _memory_info(nvml: Any, handle: Any) -> tuple[Any, bool]:
    """The memory, and whether `used` excludes what the driver keeps for itself."""
    version = getattr(nvml, "nvmlMemory_v2", None)
    try:
        if version is not None:
            return nvml.nvmlDeviceGetMemoryInfo(handle, version), True
    except nvml.NVMLError as error:
        if error.value in GONE:
            raise
    return nvml.nvmlDeviceGetMemoryInfo(handle), False


def _memory(nvml: Any, handle: Any) -> dict[str, Any]:
    memory, without_reserved = _memory_info(nvml, handle)
    used = _number(memory.used) if memory.total else None
    return {"memory_used_bytes": used, "memory_is_of_processes": without_reserved}


def _processes(nvml: Any, handle: Any) -> dict[str, Any]:
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


def names_nobody(found: dict[str, Any]) -> bool:
    """Whether no process is named. In a container a driver may report the host's ids, 0, or only memory."""
    sizes = found.get("process_memory_bytes")
    if sizes:
        return not any(pid and os.path.exists(f"/proc/{pid}") for pid in sizes)  # noqa: PTH110 - ten times a second
    used = found.get("memory_used_bytes") or 0
    return sizes is not None and bool(found.get("memory_is_of_processes")) and used > UNNAMED_BYTES


def power(nvml: Any, handle: Any) -> dict[str, Any]:
    return {"power_w": _thousandth(nvml.nvmlDeviceGetPowerUsage(handle))}


def energy(nvml: Any, handle: Any) -> dict[str, Any]:
    return {"energy_j": _thousandth(nvml.nvmlDeviceGetTotalEnergyConsumption(handle))}


def _utilization(nvml: Any, handle: Any) -> dict[str, Any]:
    rates = nvml.nvmlDeviceGetUtilizationRates(handle)
    return {"utilization": _share(rates.gpu), "memory_utilization": _share(rates.memory)}


def _share(percent: int) -> float | None:
    return percent / 100 if 0 <= percent <= 100 else None


def _temperature(nvml: Any, handle: Any) -> dict[str, Any]:
    sensor = nvml.NVML_TEMPERATURE_GPU
    celsius = _either(
        nvml,
        ("nvmlDeviceGetTemperature", (handle, sensor)),
        ("nvmlDeviceGetTemperatureV", (handle, sensor)),
    )
    return {"temperature_c": _celsius(celsius)}


def _celsius(value: int) -> float | None:
    """Degrees, or None for 0 and impossible heat, which some GPUs report if they don't know."""
    return float(value) if 0 < value < HOTTEST_C else None


def _sm_clock(nvml: Any, handle: Any) -> dict[str, Any]:
    return {"sm_clock_mhz": _number(nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM))}


def _memory_clock(nvml: Any, handle: Any) -> dict[str, Any]:
    return {"memory_clock_mhz": _number(nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM))}


def _throttle_reasons(nvml: Any, handle: Any) -> dict[str, Any]:
    bits = _number(
        _either(
            nvml,
            ("nvmlDeviceGetCurrentClocksEventReasons", (handle,)),
            ("nvmlDeviceGetCurrentClocksThrottleReasons", (handle,)),
        )
    )
    return {"throttle_reasons": None if bits is None else reasons(bits)}


def limits(nvml: Any, handle: Any) -> dict[str, Callable[[], Any]]:
    """What limits a card's speed, and where it stands, by the names of `DeviceFacts`. Each is asked separately and
    may raise.

    Cards up to Hopper report the slowdown threshold; later ones may not support it.
    """
    slowdown = nvml.NVML_TEMPERATURE_THRESHOLD_SLOWDOWN
    return {
        "power_limit_w": lambda: _thousandth(nvml.nvmlDeviceGetPowerManagementLimit(handle)),
        "enforced_power_limit_w": lambda: _thousandth(nvml.nvmlDeviceGetEnforcedPowerLimit(handle)),
        "slowdown_temperature_c": lambda: _celsius(nvml.nvmlDeviceGetTemperatureThreshold(handle, slowdown)),
        "max_sm_clock_mhz": lambda: _number(nvml.nvmlDeviceGetMaxClockInfo(handle, nvml.NVML_CLOCK_SM)),
        "max_memory_clock_mhz": lambda: _number(nvml.nvmlDeviceGetMaxClockInfo(handle, nvml.NVML_CLOCK_MEM)),
        "ecc": lambda: bool(nvml.nvmlDeviceGetEccMode(handle)[0]),
        "pcie_generation": lambda: _number(nvml.nvmlDeviceGetMaxPcieLinkGeneration(handle)),
        "pci_bus_id": lambda: text(nvml.nvmlDeviceGetPciInfo(handle).busId),
        "cuda_version": lambda: _cuda_version(nvml.nvmlSystemGetCudaDriverVersion_v2()),
        "divided": lambda: bool(nvml.nvmlDeviceGetMigMode(handle)[0]),
        "pcie_width": lambda: _number(nvml.nvmlDeviceGetCurrPcieLinkWidth(handle)),
    }


def _cuda_version(number: int) -> str:
    """Such as 13.0 for 13000."""
    return f"{number // 1000}.{number % 1000 // 10}"


def memory_total(nvml: Any, handle: Any) -> int | None:
    """Bytes, or None for 0, which a GPU without its own memory reports."""
    return _number(_memory_info(nvml, handle)[0].total) or None


def memory_reserved(nvml: Any, handle: Any) -> int | None:
    """Bytes that the driver keeps for itself; None where they count as used."""
    memory, without_reserved = _memory_info(nvml, handle)
    return (_number(memory.reserved) or None) if without_reserved else None


def reasons(bits: int) -> tuple[str, ...]:
    """The words for an NVML mask. A bit that is newer than this program is given by its value."""
    found = [word for bit, word in REASONS.items() if bits & bit]
    newer = bits & ~sum(REASONS)
    found += [f"{1 << place:#x}" for place in range(newer.bit_length()) if newer & 1 << place]
    return tuple(found)


MIG_VALUES: dict[str, Callable[[Any, Any], dict[str, Any]]] = {
    "memory": _memory,
    "processes": _processes,
    "utilization": _utilization,
}
CARD_VALUES = MIG_VALUES | {
    "power": power,
    "energy": energy,
    "temperature": _temperature,
    "SM clock": _sm_clock,
    "memory clock": _memory_clock,
    "throttle reasons": _throttle_reasons,
}
COSTLY_VALUES = frozenset({"energy"})
